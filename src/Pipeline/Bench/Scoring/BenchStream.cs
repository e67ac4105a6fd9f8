using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>Many short rows through <c>rlhf-score</c>'s path.</summary>
/// <param name="Rows">Rows.</param>
/// <param name="InputMegabytes">Size of the Parquet file.</param>
/// <param name="RowsPerSecond">File to file.</param>
/// <param name="MegabytesBefore">Resident memory before.</param>
/// <param name="PeakMegabytesTenth">Highest resident memory with a tenth of the rows.</param>
/// <param name="PeakMegabytes">Highest resident memory with all rows: flat memory is about the same.</param>
/// <param name="Stops">Random moments at which a run over a tenth of the rows was stopped, and resumed.</param>
/// <param name="Resumed">Runs among those after them that went on from finished windows.</param>
/// <param name="SameBytes">Whether its file was byte for byte that of a run that was never stopped.</param>
public sealed record StreamBenchResult(long Rows, double InputMegabytes, double RowsPerSecond, double MegabytesBefore, double PeakMegabytesTenth, double PeakMegabytes, int Stops, int Resumed, bool SameBytes);

/// <summary>Measures that memory does not grow with the file, and that stopping anywhere changes nothing.</summary>
internal static class BenchStream
{
    private const int Stops = 10;
    private static readonly string[] Words = ["a", "good", "film", "with", "bad", "songs", "and", "some", "fine", "people", "who", "laugh"];

    public static StreamBenchResult Run(long rows, string model, int maxLength, int threads, string root, Action<string> told, CancellationToken cancellation)
    {
        RewardSourceConfig[] rewards = model.Length > 0 ? [new() { Name = "reward", Model = model, MaxLength = maxLength }] : [new() { Rule = "variety" }, new() { Rule = "length", Weight = 0.5 }];
        using ScoringStage stage = new(rewards, "", threads);
        string small = Path.Combine(root, "tenth.parquet"), large = Path.Combine(root, "stream.parquet"), output = Path.Combine(root, "streamed.parquet");
        told($"writing {rows} rows");
        Write(small, rows / 10);
        Write(large, rows);
        ResidentMemory.ResetPeak();
        double before = ResidentMemory.NowMegabytes();
        told("streaming a tenth");
        stage.Run(Job(small, output), Progress(rows / 10, told), cancellation);
        double tenth = ResidentMemory.PeakMegabytes();
        told("streaming all");
        ResidentMemory.ResetPeak();
        long start = Stopwatch.GetTimestamp();
        stage.Run(Job(large, output), Progress(rows, told), cancellation);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds, peak = ResidentMemory.PeakMegabytes();
        told("stopping and resuming");
        string whole = Path.Combine(root, "whole.parquet");
        start = Stopwatch.GetTimestamp();
        stage.Run(Job(small, whole), null, cancellation);
        (int stops, int resumed) = Stopped(stage, small, output, Stopwatch.GetElapsedTime(start), told, cancellation);
        bool same = Sha256.OfFile(whole) == Sha256.OfFile(output);
        return new StreamBenchResult(rows, new FileInfo(large).Length / 1048576.0, rows / seconds, before, tenth, peak, stops, resumed, same);
    }

    // Every tenth of the rows.
    private static Action<ScoringProgress> Progress(long rows, Action<string> told)
    {
        long next = rows / 10;
        return p =>
        {
            if (p.IsWriting || p.Rows < next) return;
            next = p.Rows + (rows / 10);
            told(string.Create(CultureInfo.InvariantCulture, $"{p.Rows:N0} of {rows:N0} rows, {ResidentMemory.NowMegabytes():N0} MB"));
        };
    }

    private static ScoringJob Job(string input, string output) => new() { Input = input, Output = output };

    // A timer stops each attempt at a random moment, in the middle of whatever is going on; the last attempt goes to the end.
    private static (int Stops, int Resumed) Stopped(ScoringStage stage, string input, string output, TimeSpan whole, Action<string> told, CancellationToken cancellation)
    {
        File.Delete(output);
        int stops = 0, resumed = 0;
        for (int i = 0; stops < Stops; i++)
        {
            // Windows that are finished are only read again, which is much quicker: the moments spread over the run all the same.
            TimeSpan moment = whole * (2.0 / Stops) * AddressedRandom.Uniform(4, AddressedRandom.Stream.Probe, (uint)i);
            using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            stop.CancelAfter(moment);
            bool goesOn = false;
            try
            {
                stage.Run(Job(input, output), p => goesOn |= p.Before > 0, stop.Token);
                if (goesOn) resumed++;
                return (stops, resumed); // it was done before the moment came
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                stops++;
                if (goesOn) resumed++;
                told($"stopped {stops} times, {moment.TotalSeconds:0.00} s after the start");
            }
        }

        bool last = false;
        stage.Run(Job(input, output), p => last |= p.Before > 0, cancellation);
        return (stops, resumed + (last ? 1 : 0));
    }

    private static void Write(string path, long rows)
    {
        using DataWriter writer = DataWriter.Create(path, [new("id", ColumnType.Int64), new("response", ColumnType.Text)]);
        for (long i = 0; i < rows; i++)
        {
            ulong bits = AddressedRandom.Bits(3, AddressedRandom.Stream.Data, (uint)(i >> 32), (uint)i);
            writer.Set(0, i);
            writer.Set(1, string.Join(' ', Enumerable.Range(0, 3 + (int)(bits % 6)).Select(w => Words[(int)((bits >> (4 + (4 * w))) % 12)])));
            writer.EndRow();
        }

        writer.Complete();
    }
}
