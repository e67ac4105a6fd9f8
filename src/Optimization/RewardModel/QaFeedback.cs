using System.Text.Json;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>
/// The human feedback of qa_feedback (Wu et al. 2023, "Fine-grained human feedback gives better rewards"): 4 answers a question with 6 pairwise
/// labels (1-2, 1-3, 1-4, 2-3, 2-4, 3-4; 1: the first is better, 2: the second, 0: no preference), and marked errors in the first answer. Becomes
/// pairs and rankings of the same questions, and the first answer's sentences with a label each (process rewards).
/// </summary>
public static class QaFeedback
{
    private static readonly (int A, int B)[] Order = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];

    /// <summary>What a file became.</summary>
    /// <param name="Questions">Questions kept.</param>
    /// <param name="TiedBest">Questions left out: no answer won more comparisons than all others.</param>
    /// <param name="Pairs">Comparisons of the kept questions with a preference.</param>
    /// <param name="Sentences">Sentences of first answers, of all questions.</param>
    /// <param name="Faulty">Those of them in which an error was marked.</param>
    public sealed record Summary(int Questions, int TiedBest, int Pairs, int Sentences, int Faulty);

    /// <summary>Questions of a file, every one of them read.</summary>
    /// <exception cref="BadDataException">The file is missing or not of this form.</exception>
    public static int Count(string file) => Read(file).Count();

    /// <summary>
    /// Writes train and held-out files of three kinds, split by question: <see cref="ComparisonFiles"/> (a ranking by wins, a tie ½ each), and
    /// <c>steps.*.jsonl</c> (prompt, steps, step_labels: 1 where no error was marked in the sentence).
    /// </summary>
    /// <exception cref="BadDataException">The file is missing or not of this form.</exception>
    public static Summary Convert(string file, string folder, double heldOut, ulong seed)
    {
        using var comparisons = new ComparisonFiles(folder);
        DataColumn[] columns = [new("prompt", ColumnType.Text), new("steps", ColumnType.TextList), new("step_labels", ColumnType.Int32List)];
        using DataWriter stepsTrain = DataWriter.Create(Path.Combine(folder, "steps.train.jsonl"), columns), stepsHeld = DataWriter.Create(Path.Combine(folder, "steps.heldout.jsonl"), columns);
        int questions = 0, tied = 0, pairs = 0, number = 0, sentences = 0, faulty = 0;
        foreach (Question question in Read(file))
        {
            bool isHeld = AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, 0x9A, (uint)number++) < heldOut;
            (string[] steps, int[] labels) = Sentences(question.Answers[0], question.Errors);
            if (steps.Length > 0)
            {
                DataWriter writer = isHeld ? stepsHeld : stepsTrain;
                writer.Set(0, question.Prompt);
                writer.Set(1, (IReadOnlyList<string>)steps);
                writer.Set(2, labels.AsSpan());
                writer.EndRow();
                (sentences, faulty) = (sentences + steps.Length, faulty + labels.Count(l => l == 0));
            }

            if (Ranking(question) is not { } ranking)
            {
                tied++;
                continue;
            }

            questions++;
            comparisons.Ranking(isHeld, question.Prompt, [.. ranking.Select(a => question.Answers[a])]);
            for (int i = 0; i < Order.Length; i++)
            {
                if (question.Preference[i] == 0) continue;
                (int better, int worse) = question.Preference[i] == 1 ? Order[i] : (Order[i].B, Order[i].A);
                comparisons.Pair(isHeld, question.Prompt, question.Answers[better], question.Answers[worse], 0);
                pairs++;
            }
        }

        comparisons.Complete();
        stepsTrain.Complete();
        stepsHeld.Complete();
        return new Summary(questions, tied, pairs, sentences, faulty);
    }

    /// <summary>Answers by wins, best first; null where no single one is best, or answers are equal.</summary>
    private static int[]? Ranking(Question question)
    {
        double[] wins = new double[4];
        for (int i = 0; i < Order.Length; i++)
        {
            if (question.Preference[i] != 2) wins[Order[i].A] += question.Preference[i] == 1 ? 1 : 0.5;
            if (question.Preference[i] != 1) wins[Order[i].B] += question.Preference[i] == 2 ? 1 : 0.5;
        }

        int[] ranking = [.. Enumerable.Range(0, 4).OrderByDescending(a => wins[a]).ThenBy(a => a)];
        return wins[ranking[0]] == wins[ranking[1]] || question.Answers.Distinct(StringComparer.Ordinal).Count() < 4 ? null : ranking;
    }

    /// <summary>Cuts behind . ! ? that are followed by a space; a sentence is good (1) unless a marked error reaches into it.</summary>
    internal static (string[] Sentences, int[] Labels) Sentences(string answer, IReadOnlyList<(int Start, int End)> errors)
    {
        var sentences = new List<string>();
        var labels = new List<int>();
        for (int start = 0, at = 0; at < answer.Length; at++)
        {
            bool ends = at + 1 == answer.Length || (answer[at] is '.' or '!' or '?' && answer[at + 1] == ' ');
            if (!ends) continue;
            string sentence = answer[start..(at + 1)];
            if (!string.IsNullOrWhiteSpace(sentence))
            {
                int from = start, to = at + 1;
                sentences.Add(sentence);
                labels.Add(errors.Any(e => e.Start < to && e.End > from) ? 0 : 1);
            }

            start = at + 1;
        }

        return ([.. sentences], [.. labels]);
    }

    /// <summary>One question with its feedback.</summary>
    private sealed record Question(string Prompt, string[] Answers, int[] Preference, (int Start, int End)[] Errors);

    private static IEnumerable<Question> Read(string file)
    {
        if (!File.Exists(file)) throw new BadDataException($"{file} does not exist; expected dev_feedback.json of qa_feedback.");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(FileErrors.Reading(file, () => File.ReadAllBytes(file)));
        }
        catch (JsonException e)
        {
            throw new BadDataException($"{file} is no JSON: {e.Message}", e);
        }

        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Array) throw new BadDataException($"{file} holds {document.RootElement.ValueKind} instead of a list of questions; expected dev_feedback.json of qa_feedback.");
            int number = 0;
            foreach (JsonElement item in document.RootElement.EnumerateArray())
            {
                Question question;
                try
                {
                    question = Parse(item);
                }
                catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
                {
                    throw new BadDataException($"{file}, question {number + 1}: {e.Message}; expected question, prediction 1 to 4, preference and feedback.errors.", e);
                }

                number++;
                yield return question;
            }
        }
    }

    private static Question Parse(JsonElement item)
    {
        int[] preference = [.. item.GetProperty("preference").EnumerateArray().Select(p => p.GetInt32())];
        if (preference.Length != 6 || preference.Any(p => p is < 0 or > 2)) throw new FormatException("preference is not six of 0, 1 and 2");
        return new Question(
            Text(item, "question") + "\n",
            [.. Enumerable.Range(1, 4).Select(i => Text(item, $"prediction {i}"))],
            preference,
            [.. item.GetProperty("feedback").GetProperty("errors").EnumerateArray().Select(e => (e.GetProperty("start").GetInt32(), e.GetProperty("end").GetInt32()))]);
    }

    private static string Text(JsonElement item, string name) => item.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null");
}
