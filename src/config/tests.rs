use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;

/// A file of its own for one test; removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("letterbox-config-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("it was written by this test");
    }
}

fn from_file(name: &str, text: &str) -> Result<Settings, ConfigError> {
    let file = Scratch::new(name, text);
    Settings::layered(
        std::slice::from_ref(&file.0),
        environment().source(Some(Map::new())),
    )
}

fn refusal(result: Result<Settings, ConfigError>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn the_reference_file_is_complete_and_every_type_reads_it() {
    let settings =
        Settings::with(&[("mode", "test")]).expect("the defaults are usable in test mode");
    assert_eq!(settings.live.ping, Duration::from_secs(25));
    assert_eq!(settings.dispatch.retry_after.len(), 8);
    assert!(
        settings.database.url.is_none(),
        "an empty text means not set"
    );
}

#[test]
fn a_file_overrides_the_reference_and_the_environment_overrides_the_file() {
    let file = Scratch::new(
        "layers",
        "mode = \"test\"\n[live]\nping = \"5s\"\nburst = 7\n",
    );
    let env = [
        ("LETTERBOX__LIVE__PING", "9s"),
        (
            "LETTERBOX__SERVER__TRUSTED_PROXIES",
            "10.0.0.0/8, 192.0.2.1",
        ),
    ];
    let env = env
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    let settings = Settings::layered(
        std::slice::from_ref(&file.0),
        environment().source(Some(env)),
    );
    let settings = settings.expect("all of it is known");
    assert_eq!(settings.live.ping, Duration::from_secs(9));
    assert_eq!(settings.live.burst, 7);
    assert_eq!(settings.server.trusted_proxies.len(), 2);
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_is_named() {
    let message = refusal(from_file("unknown", "[live]\npingg = \"5s\"\n"));
    assert!(
        message.contains("no setting `live.pingg`; did you mean `live.ping`?"),
        "{message}"
    );
    let message = refusal(Settings::with(&[("channels.text.acount_sid", "x")]));
    assert!(
        message.contains("did you mean `channels.text.account_sid`?"),
        "{message}"
    );
}

#[test]
fn a_wrong_value_names_its_setting() {
    let message = refusal(from_file("wrong", "[live]\nping = \"5 bananas\"\n"));
    assert!(
        message.contains("5 bananas") && message.contains("250ms"),
        "{message}"
    );
    let message = refusal(Settings::with(&[("server.listen", "nowhere")]));
    assert!(message.contains("server.listen"), "{message}");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let missing = PathBuf::from("/nowhere/letterbox.toml");
    let message = refusal(Settings::layered(
        &[missing],
        environment().source(Some(Map::new())),
    ));
    assert!(message.contains("/nowhere/letterbox.toml"), "{message}");
}

#[test]
fn secrets_are_never_printed_and_may_come_from_files() {
    let file = Scratch::new("secret", "s3cret-from-file\nsecond line\n");
    let reference = format!("file:{}", file.0.display());
    let settings = Settings::with(&[
        ("mode", "test"),
        ("channels.email.password", &reference),
        (
            "database.url",
            "postgres://app:hunter2@db.example.test/letterbox",
        ),
    ])
    .expect("both are known");
    let password = settings
        .channels
        .email
        .password
        .as_ref()
        .expect("it is set");
    assert_eq!(password.expose_secret(), "s3cret-from-file");
    let printed = format!("{settings:?}");
    assert!(
        !printed.contains("s3cret") && !printed.contains("hunter2"),
        "{printed}"
    );
}

#[test]
fn production_refuses_to_start_without_a_way_to_post_letters() {
    assert!(refusal(Settings::with(&[])).contains("channels.post.folder"));
    assert!(Settings::with(&[("channels.post.folder", "/srv/print")]).is_ok());
}

#[test]
fn a_text_account_without_its_secrets_is_refused() {
    let half = [("mode", "test"), ("channels.text.account_sid", "AC0")];
    assert!(refusal(Settings::with(&half)).contains("api_key_secret"));
}

#[test]
fn production_speaks_to_nhs_login_by_tls_only_and_lets_no_sample_decide_who_lives_here() {
    let with = |issuer: &'static str, more: &[(&'static str, &'static str)]| {
        let mut all = vec![
            ("channels.post.folder", "/srv/print"),
            ("nhs_login.issuer", issuer),
            ("nhs_login.client_id", "portal"),
            ("nhs_login.key_file", "/srv/key.pem"),
        ];
        all.extend_from_slice(more);
        Settings::with(&all)
    };
    let practices = ("joining.practices_file", "/srv/practices.json");
    let real = "https://auth.login.nhs.uk";
    assert!(refusal(with("http://127.0.0.1:3000", &[practices])).contains("https://"));
    assert!(refusal(with(real, &[])).contains("joining.practices_file"));
    assert!(refusal(with(real, &[practices, ("nhs_login.key_file", "")])).contains("key_file"));
    assert!(with(real, &[practices]).is_ok());
    assert!(with("http://127.0.0.1:3000", &[("mode", "demo")]).is_ok());
}
