/** Written for this project: prose, science, code, a query, arithmetic, other languages, a recipe, minutes. */
export const CALIBRATION_TEXT = `The lighthouse keeper wrote in his journal every evening. On clear nights he could count the ships that \
passed, and he noted the wind, the height of the waves and the name of every captain he knew. "Nothing happens here," \
he told his sister when she visited in spring, "but it happens very slowly, and one has time to look at it." She \
laughed and put the kettle on the stove.

Photosynthesis converts light energy into chemical energy. In the light reactions, chlorophyll absorbs photons and \
electrons move along a chain of proteins; water is split and oxygen is released. In the Calvin cycle, carbon dioxide \
is fixed by the enzyme RuBisCO into three-carbon sugars, from which the plant builds glucose, starch and cellulose.

def fibonacci(n: int) -> list[int]:
    """Return the first n Fibonacci numbers."""
    numbers = [0, 1]
    while len(numbers) < n:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:n]

SELECT customers.name, SUM(orders.total) AS revenue FROM orders JOIN customers ON customers.id = orders.customer_id \
WHERE orders.placed_at >= '2024-01-01' GROUP BY customers.name ORDER BY revenue DESC LIMIT 10;

Question: A train leaves at 9:40 and arrives at 13:05. How long does the journey take?
Answer: From 9:40 to 13:00 there are 3 hours and 20 minutes. Adding 5 minutes gives 3 hours and 25 minutes.

Les enfants jouaient dans le jardin pendant que leur grand-mère préparait la soupe. Am Abend saßen alle zusammen und \
erzählten Geschichten aus alten Zeiten. La biblioteca abre a las nueve y cierra a las ocho.

1. Wash the rice until the water runs clear.
2. Bring 500 ml of water to the boil and add a pinch of salt.
3. Cover the pot, lower the heat and cook for 15 minutes.

The committee met on 14 March 1998 to discuss the budget (see Table 3). Expenses rose by 4.7 %, mainly because of \
energy prices; income fell to $2,315,000. Members were asked to submit proposals before the end of the quarter.
`

/** Written for this project: the same kinds of sentences in other scripts, and signs. */
export const OTHER_SCRIPTS_TEXT = `Утром рыбаки вышли в море, а вечером вернулись с полными сетями. Библиотека открывается в девять часов.

Το πλοίο έφυγε από το λιμάνι νωρίς το πρωί και έφτασε στο νησί πριν από το μεσημέρι.

今天早上下了大雨,孩子们在家里看书,晚上大家一起吃饭。这本书有三百页。

昨日は駅の前で友だちに会って、一緒に映画を見ました。来週また会うつもりです。

어제는 비가 와서 집에서 책을 읽었습니다. 오늘은 날씨가 맑습니다.

ذهب الأولاد إلى المدرسة في الصباح وعادوا إلى البيت بعد الظهر.

הספרייה נפתחת בתשע בבוקר ונסגרת בשמונה בערב.

बच्चे सुबह स्कूल जाते हैं और शाम को घर लौट आते हैं।

| x | x² | √x | → |
|---|----|----|---|
| 1 | 1 | 1.000 | ✓ |
| 2 | 4 | 1.414 | ✗ |

{"name": "test", "values": [1, -2.5, 3e8, null, true], "nested": {"a\\b": "\\u00e9"}} 😀 🚀 €100 ± 5 % ∑ ∞ ≤ ≥
`

/** Not used for calibration: the quality of a model's weights is measured on it. */
export const QUALITY_TEXT = `When the river froze, the ferry could not run, and for three weeks the village on the other bank was reached only on \
foot. The baker pulled a sledge across each morning. Children marked the safe path with branches, and old Marta, who \
had seen colder winters, told everyone that the ice would hold until the feast of Saint Joseph. It held one day longer.

A hash table stores keys in buckets. The hash of a key selects the bucket; two keys in the same bucket collide. With \
open addressing, the table looks at the next slot until it finds the key or an empty one. When the load factor grows \
beyond 0.7, the table is usually doubled and every key is inserted again.

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

User: Can you recommend a book about the history of mathematics?
Assistant: Yes. "A History of Mathematics" by Carl Boyer is a good overview, and "Journey through Genius" by William \
Dunham presents great theorems with their stories. Would you prefer one with many exercises?

Der Zug fährt um halb acht ab. Il fait plus froid que la semaine dernière. El mercado está cerrado los domingos.

The area of a circle with radius 3 m is about 28.27 square metres, because 3.14159 times 9 is 28.274. A square of the \
same area has sides of about 5.317 m.
`
