using System.Diagnostics;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Export.Tests;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Scoring.Tests;

/// <summary>A folder with a byte-level tokenizer and tiny models of random weights.</summary>
public abstract class Fixture
{
    protected string Folder { get; private set; } = "";

    [SetUp]
    public void MakeFolder()
    {
        Folder = Directory.CreateTempSubdirectory("rlhf scoring ").FullName;
        Directory.CreateDirectory(At("tokenizer"));
        BpeFolder.Write(new BpeModel(BpeModel.StandardSpecialTokens, []), At("tokenizer"));
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(Folder, recursive: true);

    protected string At(string name) => Path.Combine(Folder, name);

    protected string Text(string name, params string[] lines)
    {
        File.WriteAllText(At(name), string.Concat(lines.Select(l => l + "\n")));
        return At(name);
    }

    private static ModelShape Shape => TinyModel.SmallShape(vocabulary: 259, layers: 2) with { BosTokenId = 0, EosTokenIds = [1], PadTokenId = 2, MaxPositions = 96 };

    internal (string Folder, TinyModel Model) Reward(string name, ulong seed = 7, Action<TinyModel>? change = null, ScorePooling pooling = ScorePooling.Last, int positions = 96, int? trained = null)
    {
        TinyModel model = TinyModel.Random(Shape with { Pooling = pooling, MaxPositions = positions, RewardMaxLength = trained }, seed, scoreHead: true);
        change?.Invoke(model);
        OnnxExporter.ExportReward(model, At("tokenizer"), At(name), new() { Label = "test" });
        return (At(name), model);
    }

    /// <summary>Token ids of the byte-level tokenizer, which merges nothing.</summary>
    internal int[] Bytes(string text)
    {
        using Tokenization.Tokenizer tokenizer = Tokenization.Tokenizer.Open(At("tokenizer"));
        return tokenizer.Encode(text);
    }

    internal (string Folder, TinyModel Model) Policy(string name)
    {
        TinyModel model = TinyModel.Random(Shape);
        OnnxExporter.ExportPolicy(model, At("tokenizer"), At(name));
        return (At(name), model);
    }

    /// <summary>Texts of many lengths at an address.</summary>
    internal static string Words(uint row) => string.Join(' ', Enumerable.Range(0, 1 + (int)(row * 7 % 13)).Select(i => "word" + ((row * 31) + i) % 97));

    internal static (int Code, string Output, string Error) Program(params string[] args)
    {
        var info = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        info.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "rlhf-score.dll"));
        foreach (string arg in args) info.ArgumentList.Add(arg);
        using Process process = Process.Start(info)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error.Result);
    }
}
