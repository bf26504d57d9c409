import { Template } from '@huggingface/jinja'
import { ServiceError } from '../contract/errors.ts'
import type { ChatFacts, Conversation, ToolCallFormat } from '../contract/text-port.ts'
import type { ChatSource } from './model-files/chat-source.ts'

/** Far above what a template renders from a request body of at most a megabyte. */
const MAX_RENDERED_CHARS = 4_194_304

/** A model's chat templates, parsed on first use. */
export class ChatTemplate {
  readonly #source: ChatSource
  readonly #parsed = new Map<string, Template>()

  constructor(source: ChatSource) {
    this.#source = source
  }

  get facts(): ChatFacts | null {
    const { template, toolTemplate } = this.#source
    if (template === null) return null
    const toolCalls = toolCallFormatOf(toolTemplate ?? template)
    return { template, toolCalls, knowsDeveloper: /['"]developer['"]/.test(template) }
  }

  /**
   * @throws {ServiceError} `invalid_request` when there is no template, when it rejects the conversation, and when its
   *   output is too long
   */
  render({ messages, tools, addGenerationPrompt, settings }: Conversation): string {
    const { template, toolTemplate, startToken, endToken, padToken } = this.#source
    if (template === null) throw refusal('this model has no chat template; use /v1/completions instead.')
    const chosen = tools !== null && toolTemplate !== null ? toolTemplate : template
    let text: string
    try {
      text = this.#parse(chosen).render({
        ...settings,
        ...(startToken !== null && { bos_token: startToken }),
        ...(endToken !== null && { eos_token: endToken }),
        ...(padToken !== null && { pad_token: padToken }),
        ...(tools !== null && { tools }),
        messages,
        add_generation_prompt: addGenerationPrompt
      })
    } catch (cause) {
      throw refusal(`the model's chat template rejected them: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
    }
    if (text.length > MAX_RENDERED_CHARS)
      throw refusal(`the model's chat template rendered ${text.length} characters, at most ${MAX_RENDERED_CHARS} are allowed.`)
    return text
  }

  #parse(template: string): Template {
    const known = this.#parsed.get(template)
    if (known !== undefined) return known
    // Jinja2 normalizes the line ends of a template, but not those of its values: `newline_sequence` of its lexer.
    const parsed = new Template(template.replaceAll(/\r\n?/g, '\n'))
    this.#parsed.set(template, parsed)
    return parsed
  }
}

function refusal(message: string, cause?: unknown): ServiceError {
  return new ServiceError('invalid_request', `Invalid 'messages': ${message}`, { param: 'messages', cause })
}

/**
 * The format of a model's tool calls, recognized by keywords of its template. Null for all but these three formats: a
 * wrong guess would read an answer as a call, or a call as an answer.
 */
function toolCallFormatOf(template: string): ToolCallFormat | null {
  const has = (...words: readonly string[]): boolean => words.every(word => template.includes(word))
  if (!/\btools\b/.test(template)) return null
  if (has('[TOOL_CALLS]')) return has('[ARGS]') ? null : 'mistral'
  // Qwen3-Coder and GLM write XML inside the same tags.
  if (has('<tool_call>')) return has('<function=') || has('<arg_key>') ? null : 'hermes'
  if (has('ipython', '"parameters"') && !has('<function=')) return 'llama3'
  return null
}
