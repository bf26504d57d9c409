import { chatApi } from './chat/api.ts'
import { completionApi } from './completions/api.ts'
import type { GenerationApi } from './wire/generation-api.ts'

/**
 * Every text-generation API of the server. Routes, WebSocket messages and resumed streams are derived from this list.
 */
export const GENERATION_APIS: readonly GenerationApi[] = [completionApi, chatApi]
