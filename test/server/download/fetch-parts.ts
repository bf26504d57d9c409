import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { NetworkSettings } from '../../../src/server/config/network-settings.ts'
import type { FetchContext } from '../../../src/server/download/fetch-model.ts'
import type { Reporter } from '../../../src/server/download/reporter.ts'

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'everstream-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Without proxies, pip configuration and Python of this machine, unless `environment` adds them. */
export function network(
  hubEndpoint: string,
  environment: Record<string, string> = {},
  changes: Partial<NetworkSettings> = {}
): NetworkSettings {
  return {
    hubEndpoint,
    hubToken: null,
    connectTimeoutMs: 5000,
    silenceTimeoutMs: 5000,
    environment: { PIP_CONFIG_FILE: '/dev/null', PATH: '/nonexistent', ...environment },
    ...changes
  }
}

export interface RecordingReporter extends Reporter {
  readonly lines: readonly string[]
  readonly problems: readonly string[]
}

export function recordingReporter(onProgress: (doneBytes: number) => unknown = () => {}): RecordingReporter {
  const lines: string[] = []
  const problems: string[] = []
  return {
    lines,
    problems,
    line: text => void lines.push(text),
    problem: text => void problems.push(text),
    progress: () => ({ update: bytes => void onProgress(bytes), end: () => {} })
  }
}

export async function fetchContext(
  settings: NetworkSettings,
  { onProgress, ...changes }: Partial<FetchContext> & { readonly onProgress?: (doneBytes: number) => unknown } = {}
): Promise<FetchContext & { readonly reporter: RecordingReporter }> {
  const reporter = recordingReporter(onProgress)
  return { modelsFolder: await temporaryFolder(), network: settings, signal: new AbortController().signal, ...changes, reporter }
}
