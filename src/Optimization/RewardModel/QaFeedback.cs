using System.Text.Json;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>
/// The human comparisons of qa_feedback (Wu et al. 2023, "Fine-grained human feedback gives better rewards"): 4 answers a question and 6 pairwise
/// labels (1-2, 1-3, 1-4, 2-3, 2-4, 3-4; 1: the first is better, 2: the second, 0: no preference), as pairs and as rankings of the same questions.
/// </summary>
public static class QaFeedback
{
    private static readonly (int A, int B)[] Order = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];

    /// <summary>What a file became.</summary>
    /// <param name="Questions">Questions kept.</param>
    /// <param name="TiedBest">Questions left out: no answer won more comparisons than all others.</param>
    /// <param name="Pairs">Comparisons of the kept questions with a preference.</param>
    public sealed record Summary(int Questions, int TiedBest, int Pairs);

    /// <summary>
    /// Writes train and held-out files of both kinds, split by question: <c>pairs.*.jsonl</c> (prompt, chosen, rejected) and <c>rankings.*.jsonl</c>
    /// (prompt, ranking: best first, by wins, a tie ½ each).
    /// </summary>
    /// <exception cref="BadDataException">The file is missing or not of this form.</exception>
    public static Summary Convert(string file, string folder, double heldOut, ulong seed)
    {
        string Name(string kind, bool held) => Path.Combine(folder, $"{kind}.{(held ? "heldout" : "train")}.jsonl");
        Directory.CreateDirectory(folder);
        DataColumn[] pairColumns = [new("prompt", ColumnType.Text), new("chosen", ColumnType.Text), new("rejected", ColumnType.Text)];
        DataColumn[] rankColumns = [new("prompt", ColumnType.Text), new("ranking", ColumnType.TextList)];
        using DataWriter pairsTrain = DataWriter.Create(Name("pairs", false), pairColumns), pairsHeld = DataWriter.Create(Name("pairs", true), pairColumns);
        using DataWriter ranksTrain = DataWriter.Create(Name("rankings", false), rankColumns), ranksHeld = DataWriter.Create(Name("rankings", true), rankColumns);
        int questions = 0, tied = 0, pairs = 0, number = 0;
        foreach ((string prompt, string[] answers, int[] preference) in Read(file))
        {
            double[] wins = new double[4];
            for (int i = 0; i < Order.Length; i++)
            {
                if (preference[i] != 2) wins[Order[i].A] += preference[i] == 1 ? 1 : 0.5;
                if (preference[i] != 1) wins[Order[i].B] += preference[i] == 2 ? 1 : 0.5;
            }

            int[] ranking = [.. Enumerable.Range(0, 4).OrderByDescending(a => wins[a]).ThenBy(a => a)];
            bool isHeld = AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, 0x9A, (uint)number++) < heldOut;
            if (wins[ranking[0]] == wins[ranking[1]] || answers.Distinct(StringComparer.Ordinal).Count() < 4)
            {
                tied++;
                continue;
            }

            questions++;
            DataWriter ranks = isHeld ? ranksHeld : ranksTrain, rows = isHeld ? pairsHeld : pairsTrain;
            ranks.Set(0, prompt);
            ranks.Set(1, (IReadOnlyList<string>)[.. ranking.Select(a => answers[a])]);
            ranks.EndRow();
            for (int i = 0; i < Order.Length; i++)
            {
                if (preference[i] == 0) continue;
                rows.Set(0, prompt);
                rows.Set(1, answers[preference[i] == 1 ? Order[i].A : Order[i].B]);
                rows.Set(2, answers[preference[i] == 1 ? Order[i].B : Order[i].A]);
                rows.EndRow();
                pairs++;
            }
        }

        foreach (DataWriter writer in (DataWriter[])[pairsTrain, pairsHeld, ranksTrain, ranksHeld]) writer.Complete();
        return new Summary(questions, tied, pairs);
    }

    private static IEnumerable<(string Prompt, string[] Answers, int[] Preference)> Read(string file)
    {
        if (!File.Exists(file)) throw new BadDataException($"{file} does not exist; expected dev_feedback.json of qa_feedback.");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(File.ReadAllBytes(file));
        }
        catch (JsonException e)
        {
            throw new BadDataException($"{file} is no JSON: {e.Message}", e);
        }

        using (document)
        {
            int number = 0;
            foreach (JsonElement item in document.RootElement.EnumerateArray())
            {
                (string, string[], int[]) row;
                try
                {
                    int[] preference = [.. item.GetProperty("preference").EnumerateArray().Select(p => p.GetInt32())];
                    if (preference.Length != 6 || preference.Any(p => p is < 0 or > 2)) throw new FormatException("preference is not six of 0, 1 and 2");
                    row = (item.GetProperty("question").GetString() + "\n", [.. Enumerable.Range(1, 4).Select(i => item.GetProperty($"prediction {i}").GetString()!)], preference);
                }
                catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
                {
                    throw new BadDataException($"{file}, question {number + 1}: {e.Message}; expected question, prediction 1 to 4 and preference.", e);
                }

                number++;
                yield return row;
            }
        }
    }
}
