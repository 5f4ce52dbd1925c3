# The program nostro and nothing else. The databases are yours; compose.yaml shows both together.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The crates and what was compiled stay in caches between builds; the image gets the program alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p nostro-cli && cp target/release/nostro /usr/local/bin/nostro

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin nostro
COPY --from=build /usr/local/bin/nostro /usr/local/bin/nostro
USER 10001:10001
WORKDIR /etc/nostro
EXPOSE 8000 3000
# SIGTERM ends the intake, answers what is under way and finishes what is in flight.
ENTRYPOINT ["nostro"]
CMD ["serve", "--config", "/etc/nostro/nostro.toml"]
