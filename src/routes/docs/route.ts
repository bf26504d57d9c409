import { type FastifyInstance, type FastifyPluginAsync, type FastifyReply, fastify } from 'fastify'

export interface DocsRouteOptions {
  /** OpenAPI 3.1; asked for once, when it is wanted. */
  readonly document: () => object
}

const PAGE_URL = '/docs'
/** Where the page finds its script, by the package's choice. */
const SCRIPT_URL = `${PAGE_URL}/js/scalar.js`

/**
 * GET /openapi.json: what this server can be asked for; /docs shows it to people, with nothing that is fetched from
 * elsewhere.
 */
export const docsRoute: FastifyPluginAsync<DocsRouteOptions> = async (app, { document }) => {
  let built: object | null = null
  let page: Promise<FastifyInstance> | null = null
  app.get('/openapi.json', async () => {
    built ??= document()
    return built
  })
  async function send(reply: FastifyReply, url: string): Promise<FastifyReply> {
    page ??= openPage()
    const { headers, rawPayload } = await (await page).inject({ url })
    return reply.type(String(headers['content-type'])).send(rawPayload)
  }

  app.get(PAGE_URL, { exposeHeadRoute: false }, async ({ url }, reply) => {
    // Its script is named relative to it.
    return /^[^?]*\/(?:\?|$)/.test(url) ? await send(reply, `${PAGE_URL}/`) : reply.redirect(`${PAGE_URL}/`, 301)
  })
  app.get(SCRIPT_URL, { exposeHeadRoute: false }, async (_request, reply) => await send(reply, SCRIPT_URL))
}

/** The page with all its scripts is 5 MB of JavaScript: only those who look at it pay for it. */
async function openPage(): Promise<FastifyInstance> {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  const page = fastify({ logger: false })
  await page.register(reference, {
    routePrefix: PAGE_URL,
    configuration: { url: '/openapi.json', withDefaultFonts: false, telemetry: false, agent: { disabled: true } }
  })
  return page
}
