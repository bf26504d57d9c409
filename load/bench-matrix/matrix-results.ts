import { readFile, rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { FileReport } from '../bench-files/measure-file.ts'

const Results = z.object({
  /** What all models have in common: machine and options. */
  settings: z.record(z.string(), z.json()),
  files: z.array(FileReport)
})
type Settings = z.infer<typeof Results>['settings']

/** The finished models of a matrix, kept in a file if there is a path, so that a later run continues. */
export class MatrixResults {
  readonly #path: string | null
  readonly #settings: Settings
  readonly #files: FileReport[]

  private constructor(path: string | null, settings: Settings, files: readonly FileReport[]) {
    this.#path = path
    this.#settings = settings
    this.#files = [...files]
  }

  /** @throws {RangeError} the file was measured on another machine or with other options */
  static async open(path: string | null, settings: Settings): Promise<MatrixResults> {
    const text = path === null ? null : await readFile(path, 'utf8').catch(() => null)
    if (text === null) return new MatrixResults(path, settings, [])
    const kept = Results.parse(JSON.parse(text))
    const differing = Object.keys({ ...settings, ...kept.settings }).filter(
      key => JSON.stringify(settings[key]) !== JSON.stringify(kept.settings[key])
    )
    if (differing.length > 0) throw new RangeError(`--results ${path} was measured with another ${differing.join(', ')}`)
    return new MatrixResults(path, settings, kept.files)
  }

  of(name: string): FileReport | null {
    return this.#files.find(file => file.name === name) ?? null
  }

  async add(file: FileReport): Promise<void> {
    this.#files.push(file)
    if (this.#path === null) return
    const part = `${this.#path}.${process.pid}`
    await writeFile(
      part,
      `${JSON.stringify({ settings: this.#settings, files: this.#files } satisfies z.infer<typeof Results>, null, 1)}\n`
    )
    await rename(part, this.#path)
  }
}
