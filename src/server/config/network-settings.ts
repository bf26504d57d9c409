import type { Environment } from './environment.ts'
import { ExitError } from './exit-error.ts'

/** Settings for downloads. */
export interface NetworkSettings {
  /** Base of the model hub, without a trailing slash: `HF_ENDPOINT`, read as the hub's own tools do. */
  readonly hubEndpoint: string
  /** `HF_TOKEN`; sent to the hub only. */
  readonly hubToken: string | null
  /** TCP and TLS together; after it the next source is tried. */
  readonly connectTimeoutMs: number
  /** A connection that receives nothing for this long is closed. */
  readonly silenceTimeoutMs: number
  /** For proxies and the settings of pip. */
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
