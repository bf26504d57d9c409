import type { JsonSchema } from './hostile-json.ts'
import type { Random } from './random.ts'

export interface Endpoint {
  readonly method: string
  readonly path: string
  /** null: it reads no body. */
  readonly body: JsonSchema | null
}

/** A server under attack. */
export interface Target {
  readonly port: number
  readonly model: string
  readonly endpoints: readonly Endpoint[]
  /** Ids of streams that some attack has begun, the latest last. */
  readonly streamIds: string[]
}

/** @returns what the server did that it must not do, a line each */
export type Attack = (target: Target, random: Random) => Promise<readonly string[]>

const ALLOWED_SERVER_ERRORS = [503, 504]
const KEPT_STREAM_IDS = 50
const SHOWN_CHARS = 300

/** Looks through all that a server wrote on one connection. */
export function faultsIn(text: string, { streamIds }: Target): readonly string[] {
  for (const [, id = ''] of text.matchAll(/"(?:id|stream_id)":"((?:chat)?cmpl-[0-9a-f]{32})"/g)) {
    if (streamIds.at(-1) !== id) streamIds.push(id)
  }
  streamIds.splice(0, streamIds.length - KEPT_STREAM_IDS)
  const statuses = Array.from(text.matchAll(/^HTTP\/1\.1 (5\d\d)/gm), ([, status]) => Number(status))
  const wrong = statuses.filter(status => !ALLOWED_SERVER_ERRORS.includes(status)).map(status => `an answer with the status ${status}`)
  const at = text.indexOf('"type":"server_error"')
  return at < 0 ? wrong : [...wrong, `an error of the server's own: ${text.slice(Math.max(0, at - SHOWN_CHARS), at + SHOWN_CHARS)}`]
}
