/**
 * Tokenizer and chat template for the API process, outside its event loop; short texts come before long ones. Every
 * call may be rejected with the ServiceError `queue_full` while too much work waits.
 */
export interface TextPort {
  readonly vocabularySize: number
  readonly facts: TextFacts
  /** False while texts cannot be processed. */
  readonly isHealthy: boolean
  /**
   * A lower bound of the number of tokens of a text without its start token, computed from its characters alone, at
   * most `enough`; 0 where no bound is known.
   */
  leastTokens(text: string, enough: number): number
  /** Token ids of a text. Linear in the text's length, for malicious texts as well. */
  encode(text: string, options?: EncodeOptions): Promise<readonly number[]>
  /** The text of ids, incomplete characters as U+FFFD; ids outside the vocabulary are skipped. */
  decode(tokenIds: readonly number[], options: DecodeOptions): Promise<string>
  /** Each token's own text, as in `logprobs`: a token that is not valid UTF-8 is written `bytes:\xe2\x80`. */
  labels(tokenIds: readonly number[], options?: TextWait): Promise<readonly string[]>
  /**
   * Renders a conversation with the model's chat template.
   *
   * @throws {ServiceError} `invalid_request` when the model has no template, when the template raises an exception
   *                        (whose message is included), takes longer than a few seconds or writes too much
   */
  renderChat(conversation: Conversation, options?: TextWait): Promise<string>
  close(): Promise<void>
}

export interface TextWait {
  /**
   * If it aborts before the work has begun, the work is dropped and the promise rejected with the signal's reason.
   * Texts with the same signal count as one request: many short texts are treated as one long text.
   */
  readonly signal?: AbortSignal
}

export interface EncodeOptions extends TextWait {
  /** Begin with the start token of models that use one; the default. */
  readonly addSpecialTokens?: boolean
}

export interface DecodeOptions extends TextWait {
  readonly skipSpecialTokens: boolean
}

/**
 * How a model writes tool calls: `hermes`: `<tool_call>{json}</tool_call>`; `llama3`: the JSON alone;
 * `mistral`: `[TOOL_CALLS] [{json}]`.
 */
export type ToolCallFormat = 'hermes' | 'llama3' | 'mistral'

/** Properties of a tokenizer. Plain data. */
export interface TextFacts {
  /** Texts of special tokens; null where the model has none. */
  readonly startToken: string | null
  readonly endToken: string | null
  readonly padToken: string | null
  /** null for a model without a chat template. */
  readonly chat: ChatFacts | null
  /** null for a model that was not trained to fill gaps. */
  readonly fillInTheMiddle: FillInTheMiddle | null
  /** Messages for the operator: each names a fault in the model's files and how it was handled. */
  readonly warnings: readonly string[]
}

/** Ids of the tokens before the text, before the text after the gap, and before the text that fills the gap. */
export interface FillInTheMiddle {
  readonly prefix: number
  readonly suffix: number
  readonly middle: number
}

export interface ChatFacts {
  /** Source of the template. */
  readonly template: string
  /** null where the template has no tools, or the format of the model's calls is not supported. */
  readonly toolCalls: ToolCallFormat | null
  /** The template supports the role `developer`; for other templates it becomes `system`. */
  readonly knowsDeveloper: boolean
}

/** Input of a chat template, with the names that templates use. Plain data. */
export interface Conversation {
  readonly messages: readonly TemplateMessage[]
  /** As the client declared them; null where there are none. */
  readonly tools: readonly object[] | null
  /** End with the text that begins an answer. */
  readonly addGenerationPrompt: boolean
  /** Variables of the template, such as `enable_thinking`. */
  readonly settings: Readonly<Record<string, unknown>>
}

export interface TemplateMessage {
  readonly role: string
  readonly content: string
  readonly name?: string
  readonly tool_call_id?: string
  readonly tool_calls?: readonly TemplateToolCall[]
}

export interface TemplateToolCall {
  readonly id?: string
  readonly type: 'function'
  /** `arguments` are parsed: templates write them as JSON. */
  readonly function: { readonly name: string; readonly arguments: unknown }
}
