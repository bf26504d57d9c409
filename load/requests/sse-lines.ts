import { StringDecoder } from 'node:string_decoder'

/**
 * Splits a body of server-sent events into the payloads of its `data:` lines, for any division into chunks. Comments
 * and other fields are skipped.
 */
export class SseLines {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  push(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines.filter(line => line.startsWith('data:')).map(line => line.slice('data:'.length).trim())
  }
}
