using System.Globalization;
using System.Text.Json;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Generation;

/// <summary>
/// Finished parts of a large job, each a whole file in <c>OUT.parts/</c>, so that a stopped job goes on after the last one. A part's name holds the hash of all that its
/// rows depend on, so that a part of another job is never taken. Between parts the batch runs empty: a part's rows are a function of the part alone, and so are
/// their last bits.
/// </summary>
/// <param name="output">The job's rollout file.</param>
/// <param name="draw">Draws the responses to some prompts.</param>
/// <param name="took">Told each row.</param>
/// <param name="cancellation">Once set, no part is taken for finished.</param>
internal sealed class GenerationParts(string output, Func<IEnumerable<Prompt>, IEnumerable<Rollout>> draw, Action<Rollout> took, CancellationToken cancellation)
{
    private readonly string _folder = Path.GetFullPath(output) + ".parts";
    private readonly List<string> _finished = [];
    private long _rows;

    /// <summary>All that every row depends on besides its prompt.</summary>
    public string Settings { get; set; } = "";

    /// <summary>Rows of all finished parts.</summary>
    public long Rows { get; private set; }

    /// <summary>Tokens that an earlier process drew.</summary>
    public long KeptTokens { get; private set; }

    /// <summary>Draws the next part, or takes it from an earlier process.</summary>
    public void Draw(Prompt[] prompts)
    {
        string hash = Sha256.OfText(Settings + JsonSerializer.Serialize(prompts));
        string path = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_finished.Count:D6}-{hash[..32]}.parquet"));
        long before = _rows;
        if (File.Exists(path))
        {
            foreach (Rollout row in Told(RolloutFile.Read(path))) KeptTokens += row.ResponseTokens.Length;
            if (Rows == 0) Log.Info($"{output}: a run was stopped; going on with the parts that it finished.");
        }
        else
        {
            DrawInto(path, prompts);
        }

        Rows += _rows - before;
        _finished.Add(path);
    }

    /// <summary>Draws responses into a file.</summary>
    public void DrawInto(string path, Prompt[] prompts) => RolloutFile.Write(path, Told(draw(prompts)));

    /// <summary>The rows of all finished parts, in order.</summary>
    public IEnumerable<Rollout> ReadAll() => _finished.SelectMany(RolloutFile.Read);

    /// <summary>The output is whole: the parts may go.</summary>
    public void Remove() => WholeFolder.Remove(_folder);

    private IEnumerable<Rollout> Told(IEnumerable<Rollout> rows)
    {
        foreach (Rollout row in rows)
        {
            yield return row;
            took(row);
            _rows++;
        }

        cancellation.ThrowIfCancellationRequested();
    }
}
