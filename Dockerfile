# syntax=docker/dockerfile:1

# Dependencies in a separate stage, so that a change of the sources does not reinstall them.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="everstream" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
ENV NODE_ENV=production \
    PATH=/app/node_modules/.bin:$PATH

COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY models ./models

# Downloads and built graphs are in models/: mount a volume there to keep them. The rest belongs to root and is read-only.
RUN mkdir -p models && chown -R node:node models
USER node
VOLUME /app/models

# Listens on all interfaces for other containers; this requires API_KEY, or INSECURE_OPEN.
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000

# The first start downloads and prepares the model; afterwards /health is 200 while a worker is making progress.
HEALTHCHECK --interval=10s --timeout=3s --start-period=180s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

# The server drains at SIGTERM: the stop timeout must be longer than --drain-seconds (30).
STOPSIGNAL SIGTERM
CMD ["node", "src/server/main.ts", "serve"]
