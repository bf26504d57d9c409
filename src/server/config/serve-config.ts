import { BlockList, isIP } from 'node:net'
import type { Machine } from './machine.ts'
import { OPTIONS, type OptionKey } from './options.ts'
import type { OptionValues, ParsedOptions } from './parse-options.ts'

export const SERVE_OPTIONS = Object.keys(OPTIONS) as OptionKey[]

/** What `serve` runs on: every option, and nothing left for the machine to decide. */
export interface ServeConfig extends Omit<OptionValues, 'threads' | 'cacheMemory'> {
  /** Per worker. */
  readonly threads: number
  /** For all workers together. */
  readonly cacheMemoryBytes: number
}

/** Fills in what the machine decides; adds to the mistakes what no single option can see. */
export function toServeConfig(
  parsed: ParsedOptions<OptionKey>,
  machine: Machine
): { readonly config: ServeConfig; readonly mistakes: readonly string[] } {
  const { threads, cacheMemory, ...values } = parsed.values
  const mistakes = [...parsed.mistakes, ...parsed.positionals.map(word => `unexpected argument ${JSON.stringify(word)}`)]
  if (values.apiKey === null && !values.insecureOpen && !isLoopback(values.host))
    mistakes.push(
      `--host ${values.host} lets other machines in, and no API key is set: set API_KEY (--api-key), or --insecure-open to serve everyone`
    )
  const config = {
    ...values,
    threads: threads ?? Math.max(1, Math.floor(machine.cores / values.workers)),
    cacheMemoryBytes: cacheMemory ?? Math.floor(machine.memoryBytes / 2)
  }
  return { config, mistakes }
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  const version = isIP(host)
  return version === 0 ? host.toLowerCase() === 'localhost' : LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6')
}
