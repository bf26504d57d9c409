/**
 * An error caused by a model's files: missing, broken, hostile or unsupported; or no disk space to prepare them. The
 * message is one line for the operator and names file, field, bound and value.
 */
export class ModelFileError extends Error {
  override readonly name = 'ModelFileError'
}
