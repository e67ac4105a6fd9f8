using System.Diagnostics;
using System.Runtime.InteropServices;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Generation;
using Rlhf.Generation.GenAi;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>What <c>rlhf bench rollouts</c> measures with.</summary>
public sealed record BenchRolloutsOptions
{
    /// <summary>Repetitions; medians are told.</summary>
    public int Repeats { get; init; } = 5;

    /// <summary>0: all cores.</summary>
    public int Threads { get; init; }

    /// <summary>Cases whose name contains this; empty: all.</summary>
    public string Only { get; init; } = "";

    /// <summary>Responses of the long run.</summary>
    public int LongRunResponses { get; init; } = 100_000;
}

/// <summary>
/// Generation measured: our engine, GenAI and the bare decoding steps, side by side in one process on the same prompts. The engines take
/// turns within each repetition, so that a busy moment of the machine meets them all.
/// </summary>
public static class BenchRollouts
{
    private const int Prompt = 32, New = 96;

    /// <summary>Runs all cases (or those chosen) and returns what was measured.</summary>
    public static RolloutBenchResult Run(BenchRolloutsOptions options, Action<string>? told = null, CancellationToken cancellation = default)
    {
        string root = Directory.CreateTempSubdirectory("rlhf-bench-").FullName;
        try
        {
            // Prompts are ids here; an exported folder only has to hold a tokenizer.
            File.WriteAllText(Path.Combine(root, "tokenizer.json"), "{}");
            Measurement measurement = new(options, root, told ?? (_ => { }), cancellation);
            measurement.All();
            string processor = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "" : "";
            int threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
            return new RolloutBenchResult(threads, options.Repeats, processor, measurement.Rows, measurement.Numbers, measurement.LongRunMegabytes);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private sealed class Measurement(BenchRolloutsOptions options, string root, Action<string> told, CancellationToken cancellation)
    {
        private readonly OrtEngineOptions _engine = new() { Threads = options.Threads };

        public List<RolloutBenchRow> Rows { get; } = [];

        public List<RolloutBenchNumber> Numbers { get; } = [];

        public List<double> LongRunMegabytes { get; } = [];

        public void All()
        {
            if (Wanted("24M"))
            {
                PolicyFolder large = Model("24M", RolloutBenchModels.Large, required: 20);
                SharedPrefill("24M prefill shared by 8", large);
                HandOver("24M hand-over", large);
            }

            if (Wanted("4M")) LongRun("4M long run", Model("4M", RolloutBenchModels.Small, required: 5));
            if (Wanted("mixed")) Mixed("mixed lengths", batch: 32);
        }

        /// <summary>What is measured of every model: against GenAI, and against the bare loop.</summary>
        private PolicyFolder Model(string name, ModelShape shape, double required)
        {
            PolicyFolder folder = RolloutBenchModels.Export(shape, root, name, root);
            using OrtEngine engine = new(folder, null, _engine);
            using GenAiBaseline genai = new(folder);
            Compare($"{name} sample", folder, engine, genai, batch: 32, greedy: false, required);
            Compare($"{name} greedy", folder, engine, genai, batch: 16, greedy: true, required: 1.5);
            Share($"{name} share", folder, engine, batch: 16);
            Share($"{name} share", folder, engine, batch: 64);
            return folder;
        }

        private bool Wanted(string name) => name.Contains(options.Only, StringComparison.Ordinal) || options.Only.Contains(name, StringComparison.Ordinal);

        private void Compare(string name, PolicyFolder folder, OrtEngine engine, GenAiBaseline genai, int batch, bool greedy, double required)
        {
            if (!Chosen(name)) return;
            SamplingOptions sampling = new() { MaxNewTokens = New, BatchSize = batch, Greedy = greedy };
            List<Prompt> prompts = Prompts(batch, Prompt, Prompt, folder.VocabularySize);
            int[][] ids = [.. prompts.Select(p => p.Tokens!)];
            Samples ours = new(), theirs = new(), bare = new(), decode = new();
            for (int repeat = -1; repeat < options.Repeats; repeat++)
            {
                ours.Take(repeat, () => engine.Generate(prompts, sampling, cancellation).Sum(r => (long)r.ResponseTokens.Length));
                decode.Add(repeat, ours.Last * ours.LastSeconds / (ours.LastSeconds - engine.Counts.PrefillSeconds) * (New - 1) / New);
                bare.Add(repeat, batch * (New - 1) / engine.MeasureBareSteps(batch, Prompt, New).StepSeconds);
                // GenAI's warm-up is shorter: it is slow and has nothing to compile.
                theirs.Take(repeat, () => genai.Generate(ids, repeat < 0 ? sampling with { MaxNewTokens = 4 } : sampling).Sum(r => (long)r.Length));
            }

            double ratio = ours.Median / theirs.Median;
            Rows.Add(new(name, "ort", batch, ours.Median, ratio, decode.Median / bare.Median, ours.CpuMilliseconds, ours.PeakMegabytes));
            Rows.Add(new(name, "genai", batch, theirs.Median, 1, null, theirs.CpuMilliseconds, theirs.PeakMegabytes));
            Rows.Add(new(name, "bare", batch, bare.Median, null, 1, 0, 0));
            Number($"{name}, batch {batch}: ratio to GenAI", ratio, "×", required);
            Number($"{name}, batch {batch}: GenAI's processor time a token over ours", theirs.CpuMilliseconds / ours.CpuMilliseconds, "×", 0);
        }

        private void Share(string name, PolicyFolder folder, OrtEngine engine, int batch)
        {
            if (!Chosen(name)) return;
            SamplingOptions sampling = new() { MaxNewTokens = New, BatchSize = batch };
            List<Prompt> prompts = Prompts(batch, Prompt, Prompt, folder.VocabularySize);
            Samples ours = new(), bare = new(), decode = new();
            for (int repeat = -1; repeat < options.Repeats; repeat++)
            {
                ours.Take(repeat, () => engine.Generate(prompts, sampling, cancellation).Sum(r => (long)r.ResponseTokens.Length));
                decode.Add(repeat, ours.Last * ours.LastSeconds / (ours.LastSeconds - engine.Counts.PrefillSeconds) * (New - 1) / New);
                bare.Add(repeat, batch * (New - 1) / engine.MeasureBareSteps(batch, Prompt, New).StepSeconds);
            }

            double share = decode.Median / bare.Median;
            Rows.Add(new(name, "ort", batch, ours.Median, null, share, ours.CpuMilliseconds, ours.PeakMegabytes));
            Rows.Add(new(name, "bare", batch, bare.Median, null, 1, 0, 0));
            Number($"{name}, batch {batch}: decoding over the bare steps", share, "", .85);
        }

        /// <summary>Prompts of 8 to 64 tokens, responses that end by themselves or at 128, eight times as many as slots.</summary>
        private void Mixed(string name, int batch)
        {
            if (!Chosen(name)) return;
            PolicyFolder folder = RolloutBenchModels.Export(RolloutBenchModels.LargeWithEnds, root, "ends", root);
            PolicyFolder plain = RolloutBenchModels.Export(RolloutBenchModels.Large, root, "plain", root);
            using OrtEngine engine = new(folder, null, _engine), equalEngine = new(plain, null, _engine);
            using GenAiBaseline genai = new(folder);
            SamplingOptions sampling = new() { MaxNewTokens = 128, BatchSize = batch };
            List<Prompt> prompts = Prompts(8 * batch, 8, 64, folder.VocabularySize), equalPrompts = Prompts(batch, Prompt, Prompt, folder.VocabularySize);
            int[][] few = [.. prompts.Take(batch).Select(p => p.Tokens!)];
            Samples ours = new(), theirs = new(), equal = new();
            double mean = 0;
            for (int repeat = -1; repeat < options.Repeats; repeat++)
            {
                ours.Take(repeat, () =>
                {
                    long tokens = engine.Generate(prompts, sampling, cancellation).Sum(r => (long)r.ResponseTokens.Length);
                    mean = (double)tokens / prompts.Count;
                    return tokens;
                });
                equal.Take(repeat, () => equalEngine.Generate(equalPrompts, sampling with { MaxNewTokens = New }, cancellation).Sum(r => (long)r.ResponseTokens.Length));
                theirs.Take(repeat, () => genai.Generate(few, repeat < 0 ? sampling with { MaxNewTokens = 4 } : sampling).Sum(r => (long)r.Length));
            }

            Rows.Add(new(name, "ort", batch, ours.Median, ours.Median / theirs.Median, null, ours.CpuMilliseconds, ours.PeakMegabytes));
            Rows.Add(new(name, "genai", batch, theirs.Median, 1, null, theirs.CpuMilliseconds, theirs.PeakMegabytes));
            Rows.Add(new("equal lengths", "ort", batch, equal.Median, null, null, equal.CpuMilliseconds, equal.PeakMegabytes));
            Number($"{name}, mean response", mean, "tokens", 0);
            Number($"{name}: useful tokens/s over those of equal lengths", ours.Median / equal.Median, "", .75);
        }

        private void SharedPrefill(string name, PolicyFolder folder)
        {
            if (!Chosen(name)) return;
            SamplingOptions sampling = new() { MaxNewTokens = 2, BatchSize = 32, SamplesPerPrompt = 8 };
            List<Prompt> prompts = Prompts(8, 256, 256, folder.VocabularySize);
            using OrtEngine shared = new(folder, null, _engine), alone = new(folder, null, _engine with { SharePrefill = false });
            List<double> ratios = [];
            for (int repeat = -1; repeat < options.Repeats; repeat++)
            {
                foreach (OrtEngine engine in (OrtEngine[])[shared, alone]) _ = engine.Generate(prompts, sampling, cancellation).Count();
                if (repeat >= 0) ratios.Add(alone.Counts.PrefillSeconds / shared.Counts.PrefillSeconds);
            }

            Number($"{name}: prefill without over with sharing", Median(ratios), "×", 5);
        }

        private void HandOver(string name, PolicyFolder folder)
        {
            if (!Chosen(name)) return;
            using OrtEngine engine = new(folder, null, _engine);
            List<Prompt> prompts = Prompts(1, 8, 8, folder.VocabularySize);
            SamplingOptions sampling = new() { MaxNewTokens = 1, BatchSize = 32 };
            RolloutBenchModels.RandomWeights weights = new(RolloutBenchModels.Large, seed: 2);
            List<(WeightTensor Tensor, SafeHandle Memory)> held = [.. WeightMap.ForPolicy(RolloutBenchModels.Large).Entries.Select(e => WeightTensor.Create(e.Initializer, e.Dimensions, to => e.Fill(weights, to)))];
            List<double> milliseconds = [];
            for (int repeat = -1; repeat < options.Repeats; repeat++)
            {
                long start = Stopwatch.GetTimestamp();
                engine.UpdateWeights([.. held.Select(h => h.Tensor)], Task.FromResult("bench"));
                _ = engine.Generate(prompts, sampling, cancellation).Count();
                if (repeat >= 0) milliseconds.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }

            held.ForEach(h => h.Memory.Dispose());
            Number($"{name}: from the trainer's memory to the first token", Median(milliseconds), "ms", 120, atMost: true);
        }

        private void LongRun(string name, PolicyFolder folder)
        {
            if (!Chosen(name) || options.LongRunResponses == 0) return;
            using OrtEngine engine = new(folder, null, _engine);
            IEnumerable<Prompt> prompts = Enumerable.Range(0, options.LongRunResponses).Select(i => One(i, 4 + (i % 5), folder.VocabularySize));
            long responses = 0;
            double early = 0, late = 0;
            int tenth = Math.Max(1, options.LongRunResponses / 10);
            foreach (Rollout rollout in engine.Generate(prompts, new SamplingOptions { MaxNewTokens = 4, BatchSize = 64 }, cancellation))
            {
                responses++;
                if (responses <= options.LongRunResponses / 5) early = Math.Max(early, ResidentMemoryEvery(responses));
                else late = Math.Max(late, ResidentMemoryEvery(responses));
                if (responses % tenth == 0) LongRunMegabytes.Add(Math.Round(ResidentMemory.NowMegabytes(), 1));
            }

            Number($"{name}: growth of resident memory after the first fifth of {responses} responses", late - early, "MB", 16, atMost: true);
        }

        private static double ResidentMemoryEvery(long count) => count % 500 == 0 ? ResidentMemory.NowMegabytes() : 0;

        private bool Chosen(string name)
        {
            if (!name.Contains(options.Only, StringComparison.Ordinal)) return false;
            told(name);
            return true;
        }

        private void Number(string name, double value, string unit, double required, bool atMost = false) =>
            Numbers.Add(new(name, value, unit, required == 0 ? "" : FormattableString.Invariant($"{(atMost ? "≤" : "≥")} {required}"), required == 0 || (atMost ? value <= required : value >= required)));

        private static List<Prompt> Prompts(int count, int shortest, int longest, int vocabulary) =>
            [.. Enumerable.Range(0, count).Select(i => One(i, shortest + (int)(AddressedRandom.Bits(9, AddressedRandom.Stream.Probe, (uint)i) % (ulong)(longest - shortest + 1)), vocabulary))];

        /// <summary>BOS, then ids above those that end responses.</summary>
        private static Prompt One(int index, int length, int vocabulary)
        {
            int[] tokens = new int[length];
            tokens[0] = 1;
            for (int i = 1; i < length; i++) tokens[i] = (vocabulary / 4) + (int)(AddressedRandom.Bits(9, AddressedRandom.Stream.Probe, (uint)index, 1, (uint)i) % (ulong)(vocabulary / 2));
            return new Prompt { Id = FormattableString.Invariant($"{index}"), Text = "", Tokens = tokens };
        }

        private static double Median(List<double> values) => values.Order().ToList() is { Count: > 0 } sorted
            ? (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2
            : double.NaN;

        /// <summary>Tokens a second of each repetition; the first (−1) warms up and does not count.</summary>
        private sealed class Samples
        {
            private readonly List<double> _rates = [];
            private readonly List<double> _processor = []; // ms a token

            public double Last { get; private set; }

            public double LastSeconds { get; private set; }

            public double PeakMegabytes { get; private set; }

            public double Median => Measurement.Median(_rates);

            public double CpuMilliseconds => Measurement.Median(_processor);

            public void Take(int repeat, Func<long> draw)
            {
                // Threads of the engine before stop spinning, so that they do not take from this one.
                Thread.Sleep(100);
                ResidentMemory.ResetPeak();
                TimeSpan before = Environment.CpuUsage.TotalTime;
                long start = Stopwatch.GetTimestamp();
                long tokens = draw();
                LastSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (repeat >= 0) _processor.Add((Environment.CpuUsage.TotalTime - before).TotalMilliseconds / tokens);
                PeakMegabytes = Math.Max(PeakMegabytes, ResidentMemory.PeakMegabytes());
                Add(repeat, tokens / LastSeconds);
            }

            public void Add(int repeat, double rate)
            {
                Last = rate;
                if (repeat >= 0) _rates.Add(rate);
            }
        }
    }
}
