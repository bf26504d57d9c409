import type { Family } from './definition/family.ts'
import { GPT2 } from './gpt2.ts'
import { LLAMA } from './llama.ts'
import { MISTRAL } from './mistral.ts'
import { QWEN3 } from './qwen3.ts'

/** The supported families. Messages, --help and tests derive their names from this list. */
export const FAMILIES: readonly Family[] = [GPT2, LLAMA, MISTRAL, QWEN3]
