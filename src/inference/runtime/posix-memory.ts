import { platform } from 'node:process'
import koffi from 'koffi'
import { ServiceError } from '../contract/errors.ts'
import { invariant } from '../contract/invariant.ts'
import { loadLibrary } from './native-library.ts'
import type { Address, PagedMemory } from './paged-memory.ts'

const PROT_READ_WRITE = 0x3
const MAP_PRIVATE = 0x02
const MAP_FAILED = -1n
/** <sys/mman.h>: MAP_ANONYMOUS, MAP_NORESERVE; MADV_DONTNEED on Linux, MADV_FREE on macOS (there the memory goes once somebody needs it). */
const { anonymous, noReserve, giveBack } =
  platform === 'darwin' ? { anonymous: 0x1000, noReserve: 0x40, giveBack: 5 } : { anonymous: 0x20, noReserve: 0x4000, giveBack: 4 }
const MADV_NOHUGEPAGE = 15

/** Anonymous private mappings (Linux, macOS). */
export class PosixMemory implements PagedMemory {
  readonly pageBytes: number
  readonly #map
  readonly #unmap
  readonly #advise
  readonly #copy

  constructor() {
    const library = loadLibrary(null)
    this.pageBytes = library.func('getpagesize', 'int', [])()
    this.#map = library.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t'])
    this.#unmap = library.func('munmap', 'int', ['intptr_t', 'size_t'])
    this.#advise = library.func('madvise', 'int', ['intptr_t', 'size_t', 'int'])
    this.#copy = library.func('memcpy', 'intptr_t', ['intptr_t', 'intptr_t', 'size_t'])
  }

  reserve(bytes: number): Address {
    const address = BigInt(this.#map(0, bytes, PROT_READ_WRITE, MAP_PRIVATE | anonymous | noReserve, -1, 0))
    if (address === MAP_FAILED) throw new ServiceError('engine_failure', `the system refused to reserve ${bytes} bytes of addresses`)
    // Where huge pages are the system's default, one token of each head would take megabytes. A kernel without them refuses: no matter.
    if (platform === 'linux') this.#advise(address, bytes, MADV_NOHUGEPAGE)
    return address
  }

  free(address: Address, bytes: number): void {
    invariant(this.#unmap(address, bytes) === 0, 'memory was freed that is not ours')
  }

  giveBack(address: Address, bytes: number): void {
    invariant(this.#advise(address, bytes, giveBack) === 0, 'the range given back is not whole pages of ours')
  }

  copy(from: Address, to: Address, bytes: number): void {
    this.#copy(to, from, bytes)
  }

  view(address: Address, bytes: number): ArrayBuffer {
    return koffi.view(address, bytes)
  }
}
