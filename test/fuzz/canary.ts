import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { owned } from '../processes/owned-process.ts'

const PROCESS = fileURLToPath(new URL('./canary-process.ts', import.meta.url))

/** One request of a client that does nothing wrong. */
export interface Probe {
  readonly path: string
  /** null: no answer. */
  readonly status: number | null
  readonly ms: number
  /** How long the client, the server and its workers were ready to run meanwhile, but had no processor. */
  readonly starvedMs: number
}

/** A client in a process of its own, one request after the other. */
export class Canary {
  readonly #child

  /** @param pids  of the server and its workers */
  constructor(url: string, model: string, pids: readonly number[], onProbe: (probe: Probe) => void) {
    this.#child = owned(spawn(process.execPath, [PROCESS, url, model, ...pids.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] }))
    createInterface(this.#child.stdout).on('line', line => onProbe(JSON.parse(line) as Probe))
  }

  /** Resolves when all probes are reported. */
  async stop(): Promise<void> {
    this.#child.kill()
    await once(this.#child, 'close')
  }
}
