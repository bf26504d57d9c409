import { type FastifyInstance, type FastifyPluginAsync, fastify } from 'fastify'

export interface DocsRouteOptions {
  /** OpenAPI 3.1; asked for once, when it is wanted. */
  readonly document: () => object
}

/** GET /openapi.json: what this server can be asked for; /docs shows it to people, with nothing that is fetched from elsewhere. */
export const docsRoute: FastifyPluginAsync<DocsRouteOptions> = async (app, { document }) => {
  let told: object | null = null
  let page: Promise<FastifyInstance> | null = null
  app.get('/openapi.json', async () => {
    told ??= document()
    return told
  })
  for (const url of ['/docs', '/docs/*']) {
    app.get(url, { exposeHeadRoute: false }, async (request, reply) => {
      page ??= openPage()
      const { statusCode, headers, rawPayload } = await (await page).inject({ url: request.url })
      const type = headers['content-type']
      if (statusCode >= 400) return reply.callNotFound()
      if (headers.location !== undefined) reply.header('location', headers.location)
      return reply.code(statusCode).type(String(type)).send(rawPayload)
    })
  }
}

/** The page with all its scripts is 5 MB of JavaScript: only those who look at it pay for it. */
async function openPage(): Promise<FastifyInstance> {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  const page = fastify({ logger: false })
  await page.register(reference, {
    routePrefix: '/docs',
    configuration: { url: '/openapi.json', withDefaultFonts: false, telemetry: false, agent: { disabled: true } }
  })
  return page
}
