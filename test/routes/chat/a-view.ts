import type { ChatView } from '../../../src/routes/chat/view.ts'

/** A view of one choice without options. */
export const VIEW: ChatView = {
  id: 'chatcmpl-1',
  created: 1_700_000_000,
  model: 'tiny',
  systemFingerprint: 'fp_1',
  choices: 1,
  areEqual: false,
  withLogprobs: false,
  promptLogprobs: null,
  tokensAsIds: false,
  includeUsage: false,
  promptTokens: null,
  withTimings: false,
  toolCalls: null,
  parallelToolCalls: true,
  promptTokenIds: null
}
