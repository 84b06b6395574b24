# Builds without any argument. tests/it/deploy_files.rs holds this file to Choreo's rules.

FROM rust:1-trixie AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpq-dev libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# A builder that runs out of memory needs fewer jobs, for example 2.
ARG CARGO_BUILD_JOBS=default

# The dependencies, around an empty program: this layer stays until the lock file changes.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches tests/loom tests/screenshots \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs benches/speed.rs tests/loom/main.rs tests/screenshots/main.rs \
 && cargo build --release --locked \
 && rm -r src

# The real program. COPY keeps old modification times, by which cargo would take it for built: hence touch.
COPY . .
RUN touch src/main.rs src/lib.rs \
 && cargo build --release --locked \
 && install -D --strip target/release/latchkey /out/latchkey

FROM debian:trixie-slim
# The upgrade is for the image scan, which looks at what is known today, not when the base was made.
RUN apt-get update \
 && apt-get upgrade -y \
 && apt-get install -y --no-install-recommends ca-certificates libpq5 libssl3t64 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10014 --no-create-home --shell /usr/sbin/nologin latchkey
# Pages, style sheet and migrations are in the binary.
COPY --from=build /out/latchkey /usr/local/bin/latchkey
# A latchkey.toml mounted here is read; nothing is ever written. libpq looks for files in HOME.
WORKDIR /etc/latchkey
ENV HOME=/tmp PORT=8080
EXPOSE 8080
# A bare number between 10000 and 20000, or Choreo's scan refuses the file.
USER 10014
ENTRYPOINT ["/usr/local/bin/latchkey"]
CMD ["serve"]
