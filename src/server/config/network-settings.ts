import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'

/** How models are fetched. */
export interface NetworkSettings {
  /** Base of the model hub, without a slash at the end: `HF_ENDPOINT`, as the hub's own tools read it. */
  readonly hubEndpoint: string
  /** `HF_TOKEN`; sent to the hub only. */
  readonly hubToken: string | null
  /** TCP and TLS together; then the next source has its turn. */
  readonly connectTimeoutMs: number
  /** A connection that says nothing for this long is given up. */
  readonly silenceTimeoutMs: number
  /** The rest: proxies, and what pip reads. */
  readonly environment: Environment
}

const HUB_ENDPOINT = 'https://huggingface.co'

/** @throws {ExitError} 2, when `HF_ENDPOINT` is no URL */
export function networkSettings(environment: Environment): NetworkSettings {
  const endpoint = environment['HF_ENDPOINT']?.trim() || HUB_ENDPOINT
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new ExitError(2, `HF_ENDPOINT must be an http or https URL, not ${JSON.stringify(endpoint)}`)
  return {
    hubEndpoint: endpoint.replace(/\/+$/, ''),
    hubToken: environment['HF_TOKEN']?.trim() || null,
    connectTimeoutMs: 5000,
    silenceTimeoutMs: 30_000,
    environment
  }
}
