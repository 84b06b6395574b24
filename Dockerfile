# Builds without arguments. tests/it/deploy_files.rs checks this file against Choreo's rules.

FROM rust:1-trixie AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpq-dev libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# If the builder runs out of memory, use fewer jobs, for example 2.
ARG CARGO_BUILD_JOBS=default

# The dependencies and our own crates with an empty program: this layer is reused until one of them changes.
COPY Cargo.toml Cargo.lock ./
COPY crates crates
RUN mkdir -p src benches tests/screenshots \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs benches/speed.rs tests/screenshots/main.rs \
 && cargo build --release --locked --workspace \
 && rm -r src

# The real program. COPY keeps old modification times, which cargo would take for up to date: hence touch.
COPY . .
RUN touch src/main.rs src/lib.rs \
 && cargo build --release --locked --workspace \
 && install -D --strip target/release/latchkey /out/latchkey

FROM debian:trixie-slim
# The upgrade is for the image scan, which uses today's list of vulnerabilities.
RUN apt-get update \
 && apt-get upgrade -y \
 && apt-get install -y --no-install-recommends ca-certificates libpq5 libssl3t64 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10014 --no-create-home --shell /usr/sbin/nologin latchkey
# Pages, style sheet and migrations are part of the program.
COPY --from=build /out/latchkey /usr/local/bin/latchkey
# Latchkey reads a latchkey.toml that is mounted here and writes nothing. libpq looks for files in HOME.
WORKDIR /etc/latchkey
ENV HOME=/tmp PORT=8080
EXPOSE 8080
# Choreo's scan requires a bare number from 10000 to 20000.
USER 10014
ENTRYPOINT ["/usr/local/bin/latchkey"]
CMD ["serve"]
