using System.Text;

namespace Rlhf.Core;

/// <summary>Appends rows to <c>metrics.jsonl</c>; each is on disk when <see cref="Write"/> returns.</summary>
public sealed class MetricsWriter : IDisposable
{
    private readonly string _path;
    private readonly MetricCatalogue _catalogue;
    private readonly FileStream _stream;

    /// <param name="path">Made when missing.</param>
    /// <param name="keepThrough">On resume: rows after this iteration, and a half-written last line, are cut off. Null keeps every whole row.</param>
    /// <param name="catalogue">The default one when null.</param>
    /// <exception cref="BadDataException">The file cannot be written or holds something else.</exception>
    public MetricsWriter(string path, int? keepThrough = null, MetricCatalogue? catalogue = null)
    {
        (_path, _catalogue) = (path, catalogue ?? MetricCatalogue.Default);
        long keep = File.Exists(path) ? BytesToKeep(path, keepThrough) : 0;
        _stream = FileErrors.Writing(path, () =>
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
            Durable.CreateFolder(folder);
            FileStream stream = new(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
            Durable.FlushFolder(folder); // rows that are flushed into a file without a name would be lost with it
            stream.SetLength(keep);
            stream.Seek(0, SeekOrigin.End);
            return stream;
        });
    }

    /// <summary>Appends one row.</summary>
    /// <exception cref="ArgumentException">A metric that is not in the catalogue.</exception>
    /// <exception cref="BadDataException">The disk is full or gone.</exception>
    public void Write(int iteration, IReadOnlyDictionary<string, double> values)
    {
        byte[] line = Encoding.UTF8.GetBytes(MetricsFile.ToLine(new MetricRow(iteration, values), _catalogue) + "\n");
        FileErrors.Writing(_path, () =>
        {
            _stream.Write(line);
            _stream.Flush(flushToDisk: true);
        });
    }

    public void Dispose() => _stream.Dispose();

    private static long BytesToKeep(string path, int? keepThrough)
    {
        byte[] bytes = FileErrors.Reading(path, () => File.ReadAllBytes(path));
        int number = 0, start = 0, kept = 0;
        for (int length; (length = bytes.AsSpan(start).IndexOf((byte)'\n')) >= 0; start += length + 1)
        {
            number++;
            string line = Encoding.UTF8.GetString(bytes, start, length);
            if (keepThrough is not { } last || line.Length == 0) continue;
            // On resume everything after the iteration goes, a damaged line too.
            if (kept >= last) break;
            int iteration = MetricsFile.Parse(line, path, number).Iteration;
            if (iteration > last) break;
            kept = iteration;
        }

        return start;
    }
}
