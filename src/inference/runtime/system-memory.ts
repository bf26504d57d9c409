import { platform } from 'node:process'
import koffi from 'koffi'
import { invariant } from '../contract/invariant.ts'
import { loadSystemLibrary } from './native-library.ts'

/** An address in this process. */
export type Address = bigint

const PROT_READ_WRITE = 0x3
const MAP_PRIVATE = 0x02
/** Flags and advice differ between the systems: <sys/mman.h> of Linux and of macOS. */
const { anonymous, noReserve, giveBack } =
  platform === 'darwin' ? { anonymous: 0x1000, noReserve: 0x40, giveBack: 5 } : { anonymous: 0x20, noReserve: 0x4000, giveBack: 4 }
const MAP_FAILED = -1n

/**
 * Memory outside V8's heap: it never moves, and a page costs nothing until it is written.
 * Whatever ONNX Runtime is given lies here.
 */
export class SystemMemory {
  readonly #map
  readonly #unmap
  readonly #advise
  readonly #copy

  constructor() {
    const library = loadSystemLibrary()
    this.#map = library.func('mmap', 'intptr_t', ['void *', 'size_t', 'int', 'int', 'int', 'int64_t'])
    this.#unmap = library.func('munmap', 'int', ['intptr_t', 'size_t'])
    this.#advise = library.func('madvise', 'int', ['intptr_t', 'size_t', 'int'])
    this.#copy = library.func('memcpy', 'intptr_t', ['intptr_t', 'intptr_t', 'size_t'])
  }

  /** Reserves zeroed memory, page by page on first use. */
  reserve(bytes: number): Address {
    const address = BigInt(this.#map(null, bytes, PROT_READ_WRITE, MAP_PRIVATE | anonymous | noReserve, -1, 0))
    invariant(address !== MAP_FAILED, `the system refused an address range of ${bytes} bytes`)
    return address
  }

  free(address: Address, bytes: number): void {
    this.#unmap(address, bytes)
  }

  /** The pages that lie wholly inside go back to the system and read as zeros from then on (on macOS: some time). */
  giveBack(address: Address, bytes: number, pageBytes = 16_384): void {
    const page = BigInt(pageBytes)
    const start = ((address + page - 1n) / page) * page
    const end = ((address + BigInt(bytes)) / page) * page
    if (end > start) this.#advise(start, Number(end - start), giveBack)
  }

  copy(from: Address, to: Address, bytes: number): void {
    this.#copy(to, from, bytes)
  }

  /** JavaScript's window on native memory; valid until it is freed. */
  view(address: Address, bytes: number): ArrayBuffer {
    return koffi.view(address, bytes)
  }
}
