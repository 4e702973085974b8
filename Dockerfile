# syntax=docker/dockerfile:1
# The image of jim-exporter. A tag can be moved and a digest cannot, so a release names both:
#
#   docker buildx imagetools inspect node:24.21.0-bookworm-slim   # its digest, the one of all platforms
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg BASE=node:24.21.0-bookworm-slim@sha256:… \
#     --build-arg REVISION="$(git rev-parse --short=12 HEAD)" --build-arg CREATED="$(date -u +%FT%TZ)" .
#
# test/deploy/image.e2e.test.ts carries out the instructions below and runs the outcome as the image would run.
ARG BASE=node:24.21.0-bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
# The licences of all that the image contains; ends the build at one that is not allowed.
RUN npm run --silent notices
COPY tsconfig.json .rolldown.config.js ./
COPY src ./src
ARG REVISION=unknown
ENV REVISION=${REVISION}
RUN npm run build

FROM ${BASE} AS production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
# With --omit=dev instead, npm leaves out what a development dependency needs as well (yaml, zod, commander).
RUN npm pkg delete devDependencies && npm sbom --sbom-format=cyclonedx > sbom.cdx.json
# All but machine code is in the program's own files already.
RUN find node_modules -mindepth 1 -maxdepth 1 ! -name @node-rs -exec rm -rf {} +

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="jim-exporter" \
      org.opencontainers.image.description="Prometheus exporter and alerting bridge for JIM, the identity-synchronisation server" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="https://github.com/jim-exporter/jim-exporter" \
      org.opencontainers.image.documentation="https://github.com/jim-exporter/jim-exporter#readme" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=production /app/ ./
COPY --from=build /src/dist ./dist
COPY --from=build /src/THIRD-PARTY-NOTICES.txt ./
COPY LICENSE ./
COPY alerts ./alerts
# The one writable place; everything else may be mounted read-only.
RUN mkdir /data && chown 65532:65532 /data && chmod 700 /data
VOLUME /data
ENV NODE_ENV=production \
    JIM_EXPORTER_STORAGE_PATH=/data
USER 65532:65532
EXPOSE 10190
# For Docker and compose; Kubernetes has probes of its own. With TLS, basic auth or another port in the web configuration,
# give the container a health check that knows them.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:10190/-/healthy').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
