import { type FastifyInstance, type FastifyPluginAsync, type FastifyReply, fastify } from 'fastify'

export interface DocsRouteOptions {
  /** Creates the OpenAPI 3.1 document; called once, on the first request. */
  readonly document: () => object
}

const PAGE_URL = '/docs'
/** URL of the script of the page, set by the package. */
const SCRIPT_URL = `${PAGE_URL}/js/scalar.js`

/** GET /openapi.json, and /docs, which shows the document as a page without resources from other hosts. */
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
    // The page refers to its script by a relative URL.
    return /^[^?]*\/(?:\?|$)/.test(url) ? await send(reply, `${PAGE_URL}/`) : reply.redirect(`${PAGE_URL}/`, 301)
  })
  app.get(SCRIPT_URL, { exposeHeadRoute: false }, async (_request, reply) => await send(reply, SCRIPT_URL))
}

/** Loaded on demand: the page with its scripts is 5 MB of JavaScript. */
async function openPage(): Promise<FastifyInstance> {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  const page = fastify({ logger: false })
  await page.register(reference, {
    routePrefix: PAGE_URL,
    configuration: { url: '/openapi.json', withDefaultFonts: false, telemetry: false, agent: { disabled: true } }
  })
  return page
}
