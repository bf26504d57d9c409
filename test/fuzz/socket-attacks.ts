import { type Attack, faultsIn, type Target } from './attack.ts'
import { exchange, WAYS_TO_DISCONNECT } from './conversation.ts'
import { damaged, damagedText, hostileValue, someText } from './hostile-json.ts'
import type { Random } from './random.ts'

/** Opcodes of RFC 6455, and some that it reserves. */
const OPCODE = { continuation: 0, text: 1, binary: 2, reserved: 5, close: 8, ping: 9, pong: 10 } as const
const LARGE_FRAME_BYTES = 1_048_577

/** A WebSocket, or nearly, and all that may be sent on one. */
export const floodSocket: Attack = async (target, random) => {
  const { text } = await exchange(target.port, {
    pieces: [handshake(random), ...Array.from({ length: random.integer(1, 30) }, () => random.pick(FRAMES)(target, random))],
    pauseMs: random.pick([0, 0, 5, 30]),
    reads: random.chance(0.8),
    disconnect: random.pick(WAYS_TO_DISCONNECT),
    afterBytes: random.chance(0.3) ? random.integer(1, 50_000) : Number.POSITIVE_INFINITY,
    withinMs: random.integer(100, 2500)
  })
  return faultsIn(text, target)
}

function handshake(random: Random): string {
  const key = random.chance(0.95) ? random.bytes(16).toString('base64') : random.pick(['', 'x', 'a'.repeat(5000)])
  const version = random.chance(0.95) ? 13 : random.pick([8, 99, 'x'])
  const lines = [
    `GET ${random.chance(0.95) ? '/v1/completions' : '/health'} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Version: ${version}`,
    ...random.some(['Sec-WebSocket-Extensions: permessage-deflate', 'Origin: http://evil.example', 'Sec-WebSocket-Protocol: a, b'], 0.05)
  ]
  return lines.join('\r\n').concat('\r\n\r\n')
}

const FRAMES: readonly ((target: Target, random: Random) => Buffer)[] = [
  (target, random) => textFrame(JSON.stringify(message(target, random)), random),
  (target, random) => textFrame(JSON.stringify(message(target, random)), random),
  (target, random) => textFrame(JSON.stringify(damaged(message(target, random), random)), random),
  (target, random) => textFrame(damagedText(JSON.stringify(message(target, random)), random), random),
  (_target, random) =>
    Buffer.concat(
      new Array<Buffer>(random.integer(1, 3000)).fill(frame(OPCODE.text, Buffer.from(random.pick(['', 'x', '{}', '[]'])), random))
    ),
  (_target, random) =>
    Buffer.concat(new Array<Buffer>(random.integer(1, 3000)).fill(frame(OPCODE.ping, random.bytes(random.integer(0, 20)), random))),
  (target, random) => {
    const json = Buffer.from(JSON.stringify(message(target, random)))
    const cut = random.integer(0, json.length)
    return Buffer.concat([
      frame(OPCODE.text, json.subarray(0, cut), random, false),
      frame(OPCODE.ping, Buffer.alloc(0), random),
      frame(OPCODE.continuation, json.subarray(cut), random)
    ])
  },
  (_target, random) =>
    Buffer.concat([
      frame(random.pick([OPCODE.text, OPCODE.binary]), Buffer.alloc(0), random, false),
      ...new Array<Buffer>(random.integer(1, 20_000)).fill(frame(OPCODE.continuation, random.bytes(random.integer(0, 3)), random, false)),
      frame(random.pick([OPCODE.continuation, OPCODE.text]), Buffer.from('{}'), random)
    ]),
  (_target, random) =>
    frame(OPCODE.close, random.pick([Buffer.alloc(0), random.bytes(1), random.bytes(2), Buffer.from([3, 232, 255])]), random),
  // Only the head of a frame that would be large.
  (_target, random) =>
    Buffer.concat([Buffer.from([0x81]), lengthOf(random.pick([LARGE_FRAME_BYTES - 1, 1e8, 2 ** 52]), 0x80), Buffer.alloc(4)]),
  (_target, random) => frame(random.pick(Object.values(OPCODE)), random.bytes(random.integer(0, 200)), random, random.chance(0.8)),
  (_target, random) => random.bytes(random.integer(1, 300)),
  (_target, random) =>
    frame(OPCODE.text, Buffer.alloc(random.pick([70_000, LARGE_FRAME_BYTES]), random.pick(['[', '0', ' ', '\xff'])), random)
]

function message({ model, streamIds }: Target, random: Random): object {
  const id = `r${random.integer(0, 5)}`
  const body = {
    model,
    max_tokens: random.integer(1, 300),
    n: random.pick([1, 1, 2]),
    ...(random.chance(0.3) && { [random.pick(['stop', 'logprobs', 'temperature', 'extra'])]: hostileValue(random) })
  }
  return random.pick<() => object>([
    () => ({ type: 'completion.create', id, body: { ...body, prompt: someText(random) }, background: random.chance(0.05) }),
    () => ({ type: 'chat.create', id, body: { ...body, messages: [{ role: 'user', content: someText(random) }] } }),
    () => ({ type: 'cancel', id }),
    () => ({
      type: 'resume',
      id,
      stream_id: streamIds.length > 0 && random.chance(0.8) ? random.pick(streamIds) : random.pick(['x', '', 'cmpl-0']),
      after: random.pick([0, 0, 1, 5, 1e9, -1, 0.5, null])
    })
  ])()
}

function textFrame(text: string, random: Random): Buffer {
  return frame(OPCODE.text, Buffer.from(text), random)
}

/** A frame of a client, which masks: here mostly with zeros, so that its bytes stay what they are. */
function frame(opcode: number, payload: Buffer, random: Random, isFinal = true): Buffer {
  const isMasked = random.chance(0.98)
  const maskBit = isMasked ? 0x80 : 0
  const start = Buffer.from([(isFinal ? 0x80 : 0) | (random.chance(0.99) ? 0 : 0x40) | opcode])
  return Buffer.concat([start, lengthOf(payload.length, maskBit), Buffer.alloc(isMasked ? 4 : 0), payload])
}

function lengthOf(length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.from([maskBit | length])
  if (length < 65_536) return Buffer.from([maskBit | 126, length >> 8, length & 0xff])
  const long = Buffer.alloc(9)
  long.writeUInt8(maskBit | 127)
  long.writeBigUInt64BE(BigInt(length), 1)
  return long
}
