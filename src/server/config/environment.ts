import { fileURLToPath } from 'node:url'

/** A snapshot of the environment variables. No other file reads the environment of the process. */
export type Environment = Readonly<Record<string, string | undefined>>

export function readEnvironment(): Environment {
  return { ...process.env }
}

/**
 * Each step reads the packed weights from end to end: a fifth faster on pages of 2 MiB than on small ones. glibc
 * requests large pages only for its main heap and for allocations larger than one page, so all allocations are directed
 * there. Other C libraries ignore the variable. Source: glibc manual, "Memory Allocation Tunables".
 */
const LARGE_PAGES = 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.arena_max=1'

/**
 * Folder of compiled sources, which Node keeps up to date: compiling them takes each process a third of a second.
 * Beside the sources: a user who can write there could replace the sources too. Where the folder is read-only, Node
 * compiles at each start.
 */
export const COMPILED_FOLDER = fileURLToPath(new URL('../../../.cache/compiled', import.meta.url))

/** The environment of a process that will load a model. Variables that the operator has set take precedence. */
export function modelProcessEnvironment(own: Environment): Environment {
  return { GLIBC_TUNABLES: LARGE_PAGES, NODE_COMPILE_CACHE: COMPILED_FOLDER, ...own }
}
