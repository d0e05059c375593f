//! The shape that is not used: an actor that is the response body of its request.

use actix::{Actor, ActorContext, AsyncContext, StreamHandler};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_web_actors::ws;

use crate::{BEAT, BEATS, FLOOD, FLOOD_BYTES, beat};

struct Session;

impl Actor for Session {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(BEAT, |_, _| beat());
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Session {
    fn handle(
        &mut self,
        message: Result<ws::Message, ws::ProtocolError>,
        context: &mut Self::Context,
    ) {
        match message {
            Ok(ws::Message::Text(_)) => {
                (0..FLOOD).for_each(|_| context.text("x".repeat(FLOOD_BYTES)))
            }
            Ok(ws::Message::Close(_)) | Err(_) => context.stop(),
            Ok(_) => {}
        }
    }
}

async fn upgrade(
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    ws::start(Session, &request, body)
}

async fn beats() -> String {
    BEATS.load(std::sync::atomic::Ordering::Relaxed).to_string()
}

pub(crate) async fn serve() -> std::io::Result<()> {
    let app = || {
        App::new()
            .route("/beats", web::get().to(beats))
            .route("/live", web::get().to(upgrade))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(100_000)
        .bind(("127.0.0.1", 0))?;
    println!("{}", server.addrs()[0].port());
    server.run().await
}
