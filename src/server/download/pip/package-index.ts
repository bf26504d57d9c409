import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import type { WheelSource } from '../catalog.ts'
import { type GetRequest, httpGet } from '../http-get.ts'
import { networkFault, SourceError } from '../source-error.ts'

const ACCEPT = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1'
const PAGE_BYTES = 10_000_000

const JsonPage = z.object({
  files: z.array(z.object({ filename: z.string(), url: z.string(), hashes: z.record(z.string(), z.string()).default({}) }))
})

interface Link {
  readonly filename: string
  readonly url: string
  /** Hex; null if the index has none. */
  readonly sha256: string | null
}

/**
 * Finds the URL of a wheel in a package index.
 *
 * @param request `url` is the base of the index
 * @throws {SourceError} no answer, no such wheel, or one with another checksum
 *
 * Source: simple repository API, PEP 503 (HTML) and PEP 691 (JSON).
 */
export async function findWheel(request: Omit<GetRequest, 'headers'>, source: WheelSource): Promise<URL> {
  const page = new URL(`${request.url.pathname.replace(/\/+$/, '')}/${source.project}/`, request.url)
  const { status, url, message } = await httpGet({ ...request, url: page, headers: { accept: ACCEPT } })
  try {
    if (status !== 200) throw new SourceError(`${url.host} answered ${status} for ${source.project}`)
    const isJson = message.headers['content-type']?.includes('json') ?? false
    const text = await readText(message, url.host)
    const link = (isJson ? jsonLinks(text, url.host) : htmlLinks(text)).find(({ filename }) => filename === source.wheel)
    if (link === undefined) throw new SourceError(`${url.host} has no ${source.wheel}`)
    if (link.sha256 !== null && link.sha256 !== source.sha256)
      throw new SourceError(`${url.host} has a different ${source.wheel}: its checksum does not match the catalogue`)
    const target = URL.parse(link.url, url.href)
    if (target === null) throw new SourceError(`${url.host} has an invalid URL for ${source.wheel}`)
    target.hash = ''
    return target
  } finally {
    message.destroy()
  }
}

async function readText(message: IncomingMessage, host: string): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > PAGE_BYTES) throw new Error('the response is too long')
      chunks.push(chunk)
    }
  } catch (error) {
    throw new SourceError(`${host}: ${networkFault(error)}`, { cause: error })
  }
  return Buffer.concat(chunks).toString('utf8')
}

function jsonLinks(text: string, host: string): Link[] {
  try {
    const { files } = JsonPage.parse(JSON.parse(text))
    return files.map(({ filename, url, hashes }) => ({ filename, url, sha256: hashes['sha256'] ?? null }))
  } catch (error) {
    throw new SourceError(`${host} did not answer with a valid package page`, { cause: error })
  }
}

function htmlLinks(html: string): Link[] {
  return [...html.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>([^<]*)<\/a>/gi)].map(([, quoted, single, text = '']) => {
    const url = (quoted ?? single ?? '').replaceAll('&amp;', '&')
    return { filename: text.trim(), url, sha256: /#sha256=([0-9a-f]{64})/.exec(url)?.[1] ?? null }
  })
}
