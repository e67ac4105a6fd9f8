using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>Between a Hugging Face folder ([out, in] linear weights) and a <see cref="ParameterStore"/> ([in, out]).</summary>
internal static class ModelFiles
{
    private static readonly string[] Heads =
    [
        LlamaParameters.LanguageModelHead, LlamaParameters.ValueWeight, LlamaParameters.ValueBias, LlamaParameters.ScoreWeight, LlamaParameters.ScoreBias,
    ];

    public static void Read(string folder, LlamaConfig stored, LlamaConfig wanted, ParameterStore store, ulong seed)
    {
        if (stored.Head == ModelHead.Scalar && wanted.Head != ModelHead.Scalar)
            throw new BadModelException($"{folder}: it holds a reward model ({stored.Architecture}); a language model is expected. It has no head over the vocabulary.");
        using SafetensorsReader reader = SafetensorsReader.Open(folder);
        HashSet<string> inFile = [.. LlamaParameters.Of(stored).Select(spec => spec.Name)];
        RefuseUnknown(reader, stored, inFile);
        Initialisation.Fill(store, wanted, seed, name => !inFile.Contains(name));
        using IDisposable noGrad = no_grad();
        foreach (ParameterPlace place in store.Table.Where(p => inFile.Contains(p.Name))) ReadOne(reader, place, store);
    }

    /// <summary>Holds every shape that config.json asks for against the files, before memory is taken for it.</summary>
    /// <exception cref="BadModelException">A tensor is missing or has another shape.</exception>
    public static void CheckShapes(string folder, LlamaConfig stored)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(folder);
        foreach (ParameterSpec spec in LlamaParameters.Of(stored)) CheckShape(reader.Entry(spec.Name), spec.Name, spec.StoredShape);
    }

    public static void Write(string folder, LlamaConfig config, ParameterStore store, SafetensorsType dtype, string? tokenizerFrom, long maximumShardBytes)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter.WriteFolder(folder, store.Table.Select(place => Output(store, place)), dtype, maximumShardBytes);
        if (tokenizerFrom is not null) CopyTokenizer(tokenizerFrom, folder);
        config.Save(folder); // last: a folder with config.json has its weights
    }

    private static void ReadOne(SafetensorsReader reader, ParameterPlace place, ParameterStore store)
    {
        CheckShape(reader.Entry(place.Name), place.Name, place.Spec.StoredShape);
        using DisposeScope scope = NewDisposeScope();
        Tensor staged = empty([.. place.Spec.StoredShape], ScalarType.Float32);
        HostTensors.Fill(reader, place.Name, staged, refuseNonFinite: true);
        store[place.Name].copy_(place.Spec.Transposed ? staged.t() : staged);
    }

    private static void CheckShape(SafetensorsEntry entry, string name, IReadOnlyList<long> expected)
    {
        if (!entry.Shape.SequenceEqual(expected))
            throw new BadModelException($"{entry.File}: tensor {name}: shape is [{string.Join(", ", entry.Shape)}]; config.json asks for [{string.Join(", ", expected)}].");
    }

    private static SafetensorsOutput Output(ParameterStore store, ParameterPlace place) => new(place.Name, place.Spec.StoredShape, destination =>
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor value = store[place.Name];
        Tensor staged = (place.Spec.Transposed ? value.t() : value).to(ScalarType.Float32, CPU).contiguous();
        HostTensors.Read(staged, destination);
    });

    /// <summary>A tensor that the architecture does not use would be lost silently, so it is an error. Old files carry the rotary frequencies.</summary>
    private static void RefuseUnknown(SafetensorsReader reader, LlamaConfig stored, HashSet<string> known)
    {
        foreach (SafetensorsEntry entry in reader.Entries.Values.OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            bool head = Heads.Contains(entry.Name) && !(entry.Name == LlamaParameters.ScoreBias && stored.Head == ModelHead.Scalar);
            if (!known.Contains(entry.Name) && !head && !entry.Name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal))
                throw new BadModelException($"{entry.File}: tensor {entry.Name}: the architecture that config.json describes has no such parameter, so the model cannot be computed faithfully.");
        }
    }

    private static void CopyTokenizer(string from, string to)
    {
        if (Path.GetFullPath(from) == Path.GetFullPath(to)) return;
        foreach (string name in TokenizerParts.Of(from)) Copy(name);
        if (File.Exists(Path.Combine(from, "generation_config.json"))) Copy("generation_config.json"); // which tokens end a text

        void Copy(string name) => WholeFile.WriteAllBytes(Path.Combine(to, name), File.ReadAllBytes(Path.Combine(from, name)));
    }
}
