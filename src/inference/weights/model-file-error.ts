/**
 * The world's error about a model's files: missing, broken, hostile, or of a kind that we do not serve; or no room to
 * prepare them. The message is one line for the operator and names file, field, bound and value.
 */
export class ModelFileError extends Error {
  override readonly name = 'ModelFileError'
}
