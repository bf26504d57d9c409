import { open } from 'node:fs/promises'

/** Larger reads are not faster. */
const READ_BYTES = 2 ** 22

/**
 * The content of a file in chunks that are valid until the next one. The next chunk is read while the caller works on
 * the present one.
 */
export async function* readAhead(path: string): AsyncGenerator<Uint8Array> {
  await using file = await open(path)
  let [present, next] = [Buffer.allocUnsafe(READ_BYTES), Buffer.allocUnsafe(READ_BYTES)]
  let reading = file.read(present, 0, READ_BYTES, null)
  while (true) {
    const { bytesRead } = await reading
    if (bytesRead === 0) return
    reading = file.read(next, 0, READ_BYTES, null)
    // Awaited above. Without a handler, an error before that would end the process.
    reading.catch(() => {})
    yield present.subarray(0, bytesRead)
    ;[present, next] = [next, present]
  }
}
