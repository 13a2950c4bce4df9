# The operator's image: node, its C library and the bundle; no shell, no package manager, not root.
#
#   docker build -t iamdb-operator:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/iamdb-operator:0.1.0 --push .
#
# The bundle is the same text for every platform and is built on the builder's own. Only the few lines of stage `runtime`
# run as the target platform; for a foreign one the builder needs QEMU (docker run --privileged --rm tonistiigi/binfmt --install all).
ARG BUILD_BASE=node:24-bookworm-slim
# node and the libraries it is linked to are taken from here: any image with sh, ldd and /usr/local/bin/node.
ARG RUNTIME_BASE=node:24-bookworm-slim

FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No script of a package is needed to bundle; they would fetch what only tests use.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY rolldown.config.ts tsconfig.json ./
COPY src ./src
RUN npm run build && echo '{"type":"module"}' > dist/package.json

FROM ${RUNTIME_BASE} AS runtime
RUN set -eu; \
    mkdir -p /rootfs/usr/local/bin /rootfs/etc /rootfs/app; \
    cp /usr/local/bin/node /rootfs/usr/local/bin/; \
    for library in $(ldd /usr/local/bin/node | grep -o '/[^ ]*'); do \
      mkdir -p "/rootfs$(dirname "$library")"; \
      cp -L "$library" "/rootfs$library"; \
    done; \
    echo 'nonroot:x:65532:65532:nonroot:/app:/sbin/nologin' > /rootfs/etc/passwd; \
    echo 'nonroot:x:65532:' > /rootfs/etc/group; \
    echo 'hosts: files dns' > /rootfs/etc/nsswitch.conf
COPY --from=build /src/dist/ /rootfs/app/
COPY LICENSE /rootfs/app/

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="iamdb-operator" \
      org.opencontainers.image.description="Passwordless (IAM) access to Aurora PostgreSQL and RDS for PostgreSQL as one object in Git" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=runtime /rootfs/ /
# One arena for malloc, and a heap that grows little: a third of the memory less, for some CPU under load.
ENV PATH=/usr/local/bin NODE_ENV=production MALLOC_ARENA_MAX=1
WORKDIR /app
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["node", "--max-semi-space-size=1", "--heap-growing-percent=20", "--optimize-for-size", "/app/operator.mjs"]
