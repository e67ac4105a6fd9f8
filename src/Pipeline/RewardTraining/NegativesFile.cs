using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>A response that fooled a reward model: a row of negatives.parquet.</summary>
/// <param name="Iteration">In which it was drawn.</param>
/// <param name="PromptId">Of its prompt.</param>
/// <param name="SampleId">Which response to the prompt.</param>
/// <param name="Prompt">Text before it.</param>
/// <param name="Response">Its text.</param>
/// <param name="Reward">What the reward model of that iteration gave.</param>
/// <param name="ReferenceLogProb">Mean over its tokens, nats.</param>
public sealed record Negative(int Iteration, string PromptId, int SampleId, string Prompt, string Response, double Reward, double ReferenceLogProb);

/// <summary>
/// The negatives known after an iteration: every text once, at most so many, each of all that were found with the same chance. What stays is decided by an
/// address of each text's own, so it depends neither on the order in which texts were found nor on when a run was stopped.
/// </summary>
public static class NegativesFile
{
    private static readonly DataColumn[] Columns =
    [
        new("iteration", ColumnType.Int32), new("prompt_id", ColumnType.Text), new("sample_id", ColumnType.Int32), new("prompt", ColumnType.Text), new("response", ColumnType.Text),
        new("reward", ColumnType.Double), new("reference_logprob", ColumnType.Double),
    ];

    /// <summary>The rows, in file order.</summary>
    /// <exception cref="BadDataException">Missing or damaged.</exception>
    public static List<Negative> Read(string path)
    {
        using DataReader reader = DataReader.Open(path, new ReadOptions { Columns = Columns });
        var rows = new List<Negative>();
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++)
            {
                rows.Add(new Negative(
                    batch.GetInt32(0, r), batch.GetString(1, r) ?? "", batch.GetInt32(2, r), batch.GetString(3, r) ?? "", batch.GetString(4, r) ?? "", batch.GetDouble(5, r), batch.GetDouble(6, r)));
            }
        }

        return rows;
    }

    /// <summary>Writes the whole file.</summary>
    /// <exception cref="BadDataException">It cannot be written.</exception>
    public static void Write(string path, IEnumerable<Negative> rows)
    {
        using DataWriter writer = DataWriter.Create(path, Columns);
        foreach (Negative row in rows)
        {
            writer.Set(0, row.Iteration);
            writer.Set(1, row.PromptId);
            writer.Set(2, row.SampleId);
            writer.Set(3, row.Prompt);
            writer.Set(4, row.Response);
            writer.Set(5, row.Reward);
            writer.Set(6, row.ReferenceLogProb);
            writer.EndRow();
        }

        writer.Complete();
    }

    /// <summary>Old and new together, in the order in which they were found: a text that is there already is left out, and of too many a uniform sample stays.</summary>
    /// <param name="old">As read from the file before.</param>
    /// <param name="found">Of this iteration.</param>
    /// <param name="responseOnly">True: the reward model does not read prompts, so equal responses are equal texts.</param>
    /// <param name="most">Rows kept; 0: all.</param>
    /// <param name="seed">The run's.</param>
    public static List<Negative> Merge(IReadOnlyList<Negative> old, IEnumerable<Negative> found, bool responseOnly, int most, ulong seed)
    {
        var texts = new HashSet<string>(StringComparer.Ordinal);
        List<Negative> all = [.. old.Concat(found).Where(n => texts.Add(Text(n, responseOnly)))];
        if (most == 0 || all.Count <= most) return all;
        ulong[] places = [.. all.Select(n => Place(Text(n, responseOnly), seed))];
        ulong last = places.Order().ElementAt(most - 1);
        return [.. all.Where((_, i) => places[i] <= last).Take(most)];
    }

    private static string Text(Negative n, bool responseOnly) => responseOnly ? n.Response : n.Prompt + n.Response;

    private static ulong Place(string text, ulong seed)
    {
        ulong key = AddressedRandom.Key(text);
        return AddressedRandom.Bits(seed, AddressedRandom.Stream.Data, 0x4E67, (uint)key, (uint)(key >> 32));
    }
}
