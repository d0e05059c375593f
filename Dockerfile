# The server as one file on a bare system, run by nobody in particular. TLS ends at a proxy in front.
# Its RUN lines are the scripts that `make` uses. Give it a database URL: the private PostgreSQL is for laptops.
FROM node:20-bookworm-slim AS web
WORKDIR /src
COPY scripts scripts
COPY web web
RUN scripts/web

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY scripts scripts
# Manifests first: the layer of compiled dependencies then outlives every change of our own sources.
COPY Cargo.toml Cargo.lock ./
COPY actors/Cargo.toml actors/
COPY actors/domain/Cargo.toml actors/domain/
COPY bench/Cargo.toml bench/
COPY bench/web_actors/Cargo.toml bench/web_actors/
COPY loadtest/Cargo.toml loadtest/
COPY sandbox/Cargo.toml sandbox/
RUN scripts/prerequisites rust python cc
RUN scripts/fetch-wheel nhsuk-frontend-jinja
RUN scripts/build-release dependencies
COPY config config
COPY migrations migrations
COPY actors actors
COPY src src
COPY --from=web /src/web/dist web/dist
RUN scripts/build-release

FROM debian:bookworm-slim
# The certificates of the world's authorities, for calls to providers; no package is installed.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/letterbox /usr/local/bin/letterbox
COPY --from=build /src/config/default.toml /usr/local/share/letterbox/default.toml
USER 65532:65532
ENV LETTERBOX__SERVER__LISTEN=0.0.0.0:8080
EXPOSE 8080
# SIGTERM drains: readiness goes off, sockets are told to come back, requests end.
STOPSIGNAL SIGTERM
ENTRYPOINT ["letterbox"]
CMD ["serve"]
