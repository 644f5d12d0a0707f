# Ocim as an image, for charts/ocim: docker build -t ocim .
# tests/chart/image_test.py runs the second stage without a container engine; keep to the instructions that it knows.

FROM debian:12 AS build
WORKDIR /src
COPY . .
RUN script/bootstrap --build
RUN cmake --preset release && ninja -C build-release ocim && strip --strip-debug build-release/ocim

FROM debian:12-slim
# What the program is linked with; libcurl4 (mail) and libmongoc-1.0-0 (MongoDB) are loaded when they are needed, and curl
# asks for health.
# Machines, load balancers and playbooks are elsewhere and reached over SSH by the program itself; ssh-keygen (of
# openssh-client) and gpgv judge who signed a commit.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates curl gpgv libboost-container1.81.0 libboost-json1.81.0 libboost-system1.81.0 libbson-1.0-0 libcurl4 \
        libfmt9 libgit2-1.5 libidn2-0 libjemalloc2 libldns3 libmariadb3 libmongoc-1.0-0 libpq5 libprometheus-cpp-core1.0 \
        libprotobuf32 libre2-9 libspdlog1.10 libsqlite3-0 libssh-4 libssl3 libyaml-cpp0.7 openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /var/lib/ocim --no-create-home --shell /usr/sbin/nologin ocim \
    && install -d -o ocim -g ocim -m 700 /var/lib/ocim
COPY --from=build /src/build-release/ocim /usr/bin/ocim
USER 10001:10001
VOLUME /var/lib/ocim
EXPOSE 7443 7480
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m CMD ["curl", "--fail", "--silent", "--show-error", "--max-time", "4", "http://127.0.0.1:7480/livez"]
ENTRYPOINT ["/usr/bin/ocim"]
CMD ["serve", "--data-dir=/var/lib/ocim/data", "--listen=0.0.0.0:7443", "--metrics-listen=0.0.0.0:7480"]
