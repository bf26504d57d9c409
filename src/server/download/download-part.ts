import { type FileHandle, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import { diskFault } from './disk-space.ts'
import { type GetRequest, httpGet } from './http-get.ts'
import { megabytes, type Reporter } from './reporter.ts'
import { networkFault, SourceError } from './source-error.ts'

export interface PartRequest extends Omit<GetRequest, 'headers'> {
  /**
   * The file that is written. `<part>.etag` contains the ETag of the version to which its bytes belong; empty if the
   * server sends none.
   */
  readonly part: string
  /** Length of the whole file. */
  readonly bytes: number
  readonly reporter: Reporter
}

/** Consecutive connections that each delivered bytes before they broke. */
const MAX_CONNECTIONS = 20

/**
 * Downloads `part` to its full length. Resumes where an earlier run stopped if the server still has the same version of
 * the file.
 *
 * @returns whether the file may contain bytes of an earlier run
 * @throws {SourceError} the server failed
 * @throws {ExitError}   1, the disk is full
 */
export async function downloadPart(request: PartRequest): Promise<{ readonly wasResumed: boolean }> {
  const { part, bytes } = request
  const wasResumed = (await partBytes(part, bytes)) > 0
  for (let connection = 1; ; connection++) {
    const before = await partBytes(part, bytes)
    if (before === bytes) return { wasResumed }
    try {
      await readOnce(request, before)
    } catch (error) {
      if (!(error instanceof BrokenBody)) throw error
      const after = await partBytes(part, bytes)
      if (after <= before || connection === MAX_CONNECTIONS) throw new SourceError(error.message, { cause: error.cause })
    }
  }
}

export async function removePart(part: string): Promise<void> {
  await rm(part, { force: true })
  await rm(etagFile(part), { force: true })
}

/** Length of the existing part; 0 if it cannot be resumed. */
export async function partBytes(part: string, bytes: number): Promise<number> {
  const size = await stat(part).then(
    found => found.size,
    () => 0
  )
  return size > bytes ? 0 : size
}

/** The connection broke after the headers: the bytes received are kept, and the rest can be requested. */
class BrokenBody extends Error {}

async function readOnce(request: PartRequest, offset: number): Promise<void> {
  const { part, bytes, reporter } = request
  const headers = offset > 0 ? await rangeHeaders(part, offset) : {}
  const { status, url, message } = await httpGet({ ...request, headers })
  try {
    if (status === 416) {
      await removePart(part)
      throw new SourceError(`${url.host} does not have the requested range of the file`)
    }
    if (status !== 200 && status !== 206) throw new SourceError(`${url.host} answered ${status}${REASONS[status] ?? ''}`)
    const start = status === 206 ? rangeStart(message.headers, offset, bytes, url.host) : 0
    if (status === 200) checkLength(message.headers, bytes, url.host)

    const folder = dirname(part)
    // The bytes of the old version are removed before the new ETag is written: a kill in between loses only bytes.
    if (start === 0) await startAfresh(part, strongEtag(message.headers)).catch(error => Promise.reject(diskFault(error, folder)))
    else reporter.line(`resuming at ${megabytes(start)}`)

    const done = await appendBody(message, start, url.host, request)
    if (done < bytes) throw new BrokenBody(`${url.host} closed the connection after ${done} of ${bytes} bytes`)
  } finally {
    message.destroy()
  }
}

/** The rest is also requested from servers without ETags: the checksum detects a different version. */
async function rangeHeaders(part: string, offset: number): Promise<Record<string, string>> {
  const etag = await readFile(etagFile(part), 'utf8').catch(() => null)
  if (etag === null) return {}
  return { range: `bytes=${offset}-`, ...(etag !== '' && { 'if-range': etag }) }
}

/** @returns length of the part when the body ends */
async function appendBody(message: IncomingMessage, start: number, host: string, request: PartRequest): Promise<number> {
  const { part, bytes, reporter } = request
  const progress = reporter.progress(bytes, start)
  let done = start
  const file = await open(part, 'r+').catch(error => Promise.reject(diskFault(error, dirname(part))))
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      if (done + chunk.length > bytes) throw new SourceError(`${host} sent more than the ${bytes} bytes in the catalogue`)
      await writeAll(file, chunk, done)
      done += chunk.length
      progress.update(done)
    }
    await file.sync()
    return done
  } catch (error) {
    throw bodyFault(error, host, request)
  } finally {
    progress.end()
    await file.close()
  }
}

async function writeAll(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, written, chunk.length - written, position + written)
    written += bytesWritten
  }
}

const REASONS: Readonly<Record<number, string>> = {
  401: ' (unauthorized: the hub needs a token in HF_TOKEN)',
  403: ' (forbidden)',
  404: ' (not found)',
  429: ' (too many requests)'
}

function bodyFault(error: unknown, host: string, { signal, part }: PartRequest): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof SourceError) return error
  const fault = diskFault(error, dirname(part))
  if (fault !== error) return fault
  return new BrokenBody(`${host}: ${networkFault(error)}`, { cause: error })
}

async function startAfresh(part: string, etag: string): Promise<void> {
  await rm(etagFile(part), { force: true })
  await writeFile(part, '', { flag: 'a' })
  await truncate(part, 0)
  await writeFile(etagFile(part), etag)
}

/** Weak ETags (`W/"…"`) do not guarantee equal bytes. */
function strongEtag({ etag = '' }: IncomingHttpHeaders): string {
  return etag.startsWith('"') ? etag : ''
}

function checkLength(headers: IncomingHttpHeaders, bytes: number, host: string): void {
  const length = headers['content-length']
  if (length !== undefined && Number(length) !== bytes)
    throw new SourceError(`${host} has a different file: ${length} bytes, expected ${bytes}`)
}

function rangeStart(headers: IncomingHttpHeaders, offset: number, bytes: number, host: string): number {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? []
  if (Number(start) !== offset || (total !== '*' && Number(total) !== bytes))
    throw new SourceError(`${host} sent a different range than requested (${headers['content-range'] ?? 'none'})`)
  return offset
}

function etagFile(part: string): string {
  return `${part}.etag`
}
