import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket } from 'ws'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import type { AppOptions } from '../../../src/server/app.ts'
import { joinInProcess } from '../../queue/embedded/in-process-worker.ts'
import { testApp } from '../../server/app-parts.ts'

export type Message = Readonly<Record<string, unknown>>

/** The client side of a socket, with all messages that it has received. */
export class ASocket {
  readonly socket: WebSocket
  readonly messages: Message[] = []
  readonly closed: Promise<number>
  #wake: () => void = () => {}

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.socket = new WebSocket(url, { headers })
    this.socket.on('message', data => {
      this.messages.push(JSON.parse(String(data)) as Message)
      this.#wake()
    })
    this.closed = new Promise(resolve => {
      this.socket.once('close', code => {
        this.#wake()
        resolve(code)
      })
    })
  }

  async opened(): Promise<this> {
    await once(this.socket, 'open')
    return this
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Resolves with the first message that `matches`. */
  async until(matches: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(matches)
      if (found !== undefined) return found
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the socket closed before the message came')
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  of(id: string | null): Message[] {
    return this.messages.filter(message => message['id'] === id)
  }
}

/** The app on a port, with an embedded queue and one worker. */
export async function openTestApp(slots = 4, leaving = new AbortController().signal, changes: Partial<AppOptions> = {}) {
  const queue = new EmbeddedQueue()
  const worker = joinInProcess(queue, slots)
  const app = testApp({ queue, leaving, ...changes })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const host = `127.0.0.1:${(app.server.address() as AddressInfo).port}`
  return {
    app,
    queue,
    worker,
    host,
    connect: async (headers: Readonly<Record<string, string>> = {}) => await new ASocket(`ws://${host}/v1/completions`, headers).opened(),
    post: async (body: object, path = '/v1/completions') =>
      await fetch(`http://${host}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...BODY, stream: true, ...body })
      }),
    [Symbol.asyncDispose]: async () => {
      await app.close()
    }
  }
}

/** A valid body. */
export const BODY = { model: 'tiny', prompt: 'hi', max_tokens: 4 }
