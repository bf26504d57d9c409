/** Written for this project: beginnings of prose, facts, code, lists, verse, other languages. */
export const QUALITY_PROMPTS: readonly string[] = [
  'The largest planet of the solar system is',
  'def is_prime(n):\n    ',
  'Q: How many legs does a spider have?\nA:',
  '2, 4, 8, 16, 32,',
  'SELECT title FROM books WHERE',
  'import math\n\n# the length of the hypotenuse of a right triangle\n',
  'Le chat dort sur',
  'The heart of a whale',
  'Once upon a time, at the edge of a forest,',
  'Dear Mr. Holloway,\n\nThank you for your letter of 3 May. I am sorry to',
  'Ingredients: 200 g flour, 3 eggs, 250 ml milk.\n1.',
  'My grandmother used to say that'
]
