using System.IO.Compression;
using System.Text;
using Rlhf.Optimization;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>Prompts in every format, packed and not, and the feedback files of others.</summary>
internal static class FuzzTexts
{
    private static readonly string[] Plain = ["prompts.jsonl", "prompts.csv", "prompts.txt", "prompts.json"];

    /// <summary>Writes the corpus.</summary>
    public static void Write(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        string[] prompts = [.. TinyModel.Prompts.Take(6)];
        File.WriteAllLines(At("prompts.jsonl"), prompts.Select(p => $"{{\"prompt_id\": \"{p}\", \"prompt\": \"{p}\", \"topic\": {p.Length}}}"));
        File.WriteAllLines(At("prompts.csv"), ["prompt_id,prompt,topic", .. prompts.Select(p => $"{p},\"{p} \"\"it\"\"\",{p.Length}")]);
        File.WriteAllLines(At("prompts.txt"), prompts);
        File.WriteAllText(At("prompts.json"), $"[{string.Join(",\n", prompts.Select(p => $"{{\"prompt\": [{{\"role\": \"user\", \"content\": \"{p}\"}}], \"topic\": [{p.Length}]}}"))}]");
        foreach (string name in Plain)
        {
            using var packed = new GZipStream(File.Create(At(name + ".gz")), CompressionLevel.Fastest);
            packed.Write(File.ReadAllBytes(At(name)));
        }

        string answers = string.Join(", ", Enumerable.Range(1, 4).Select(i => $"\"prediction {i}\": \"{prompts[i]}. It is so.\""));
        File.WriteAllText(At("feedback.json"), $"[{string.Join(",\n", prompts.Select(p => $$$"""{"question": "{{{p}}}", {{{answers}}}, "preference": [1, 1, 1, 2, 0, 1], "feedback": {"errors": [{"start": 0, "end": 4}]}}"""))}]", new UTF8Encoding(false));
    }

    public static IEnumerable<FuzzTarget> Targets(string folder)
    {
        foreach (string name in Plain) yield return new(name, [name], () => Prompts(Path.Combine(folder, name)));
        yield return new("packed prompts", [.. Plain.Select(p => p + ".gz")], () => string.Concat(Plain.Select(p => Prompts(Path.Combine(folder, p + ".gz")))));
        yield return new("qa_feedback", ["feedback.json"], () => QaFeedback.Convert(Path.Combine(folder, "feedback.json"), Path.Combine(folder, "feedback"), 0.3, 1).ToString());
    }

    private static string Prompts(string file) => string.Join('\n', PromptFile.Read(file, file.Contains(".txt", StringComparison.Ordinal) ? null : "prompt").Select(p => p.Id + p.Text + p.Metadata));
}
