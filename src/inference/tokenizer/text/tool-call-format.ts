import type { ToolCallFormat } from '../../contract/text-port.ts'

/**
 * How a model writes calls, told by the words of its template. A guess would take an answer for a call or a call for an
 * answer: what does not look like one of the three is unknown.
 */
export function toolCallFormatOf(template: string): ToolCallFormat | null {
  const has = (...words: readonly string[]): boolean => words.every(word => template.includes(word))
  if (!/\btools\b/.test(template)) return null
  if (has('[TOOL_CALLS]')) return has('[ARGS]') ? null : 'mistral'
  // Qwen3-Coder and GLM write XML between the same tags.
  if (has('<tool_call>')) return has('<function=') || has('<arg_key>') ? null : 'hermes'
  if (has('ipython', '"parameters"') && !has('<function=')) return 'llama3'
  return null
}
