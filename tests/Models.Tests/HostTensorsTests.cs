using NUnit.Framework;
using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

/// <summary>What is too large for one span of bytes goes in slices; here they are three numbers long.</summary>
public sealed class HostTensorsTests
{
    private const int Slice = 3;

    [Test]
    public void Slices_are_the_whole()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor matrix = arange(14, ScalarType.Float32).view(2, 7);
        float[] all = new float[14], turned = new float[14], wide = new float[14], some = new float[5];
        HostTensors.Read(matrix, all, slice: Slice);
        HostTensors.Read(matrix.t(), turned, slice: Slice);
        HostTensors.Read(matrix.to(ScalarType.Float64), wide, slice: Slice);
        HostTensors.Read(matrix, some, 6, Slice);
        float[] expected = [.. Enumerable.Range(0, 14)];
        Assert.That(all, Is.EqualTo(expected));
        Assert.That(turned, Is.EqualTo(new float[] { 0, 7, 1, 8, 2, 9, 3, 10, 4, 11, 5, 12, 6, 13 }));
        Assert.That(wide, Is.EqualTo(expected));
        Assert.That(some, Is.EqualTo(new float[] { 6, 7, 8, 9, 10 }));
    }

    [TestCase(ScalarType.Float32)]
    [TestCase(ScalarType.Float64)] // staged, as for another device
    public void A_file_in_parts_has_the_bytes_of_one_written_at_once_and_fills_a_tensor(ScalarType dtype)
    {
        using var folder = new TemporaryFolder();
        using DisposeScope scope = NewDisposeScope();
        float[] values = [.. Enumerable.Range(0, 14).Select(i => 0.5f * i)];
        Tensor source = tensor(values);
        List<int> lengths = [];
        SafetensorsOutput parts = SafetensorsOutput.InParts("x", 14, (first, to) => { HostTensors.Read(source, to, first, 2); lengths.Add(to.Length); }, Slice);
        string whole = SafetensorsWriter.WriteHashed(folder.File("whole"), [SafetensorsOutput.Of("x", values)], SafetensorsType.F32);
        Assert.That(SafetensorsWriter.WriteHashed(folder.File("parts"), [parts], SafetensorsType.F32), Is.EqualTo(whole));
        Assert.That(lengths, Is.EqualTo(new[] { 3, 3, 3, 3, 2 }), "no second copy of the whole");
        using SafetensorsReader reader = SafetensorsReader.Open(folder.File("parts"));
        Tensor filled = zeros([2, 7], dtype);
        HostTensors.Fill(reader, "x", filled, slice: Slice);
        Assert.That(filled.to(ScalarType.Float32).data<float>().ToArray(), Is.EqualTo(values));
    }

    [Test]
    public void Another_size_is_refused_before_anything_is_filled_and_a_bad_number_is_named_by_its_place()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder.File("x"), [SafetensorsOutput.Of("x", [1, 2, 3, 4, float.NaN])], SafetensorsType.F32);
        using SafetensorsReader reader = SafetensorsReader.Open(folder.File("x"));
        using Tensor four = zeros(4), five = zeros(5);
        Assert.That(() => HostTensors.Fill(reader, "x", four), Throws.TypeOf<BadModelException>().With.Message.Contains("shape [5] has 5 numbers; 4 expected"));
        Assert.That(four.data<float>().ToArray(), Is.All.Zero);
        Assert.That(() => HostTensors.Fill(reader, "x", five, refuseNonFinite: true, Slice), Throws.TypeOf<BadModelException>().With.Message.Contains("number 4 is NaN"));
        Assert.That(() => reader.ReadPart("x", 3, new float[3]), Throws.TypeOf<BadModelException>().With.Message.Contains("it has 5 numbers; 3 from number 3 on are asked for"));
    }

    /// <summary>A double store stands for another device here: its numbers are not float32 in host memory either.</summary>
    [Test]
    public void A_store_elsewhere_gives_copies_in_one_buffer()
    {
        using LlamaModel here = TestModels.Create(TestModels.Tiny), elsewhere = LlamaModel.Create(TestModels.Tiny, 7, dtype: ScalarType.Float64);
        elsewhere.Parameters.CopyFrom(here.Parameters);
        float[] unused = [], buffer = [];
        foreach (ParameterPlace place in here.Parameters.Table)
        {
            ReadOnlySpan<float> own = here.Parameters.Host(place.Name, ref unused), copy = elsewhere.Parameters.Host(place.Name, ref buffer);
            Assert.That(copy.ToArray(), Is.EqualTo(own.ToArray()), place.Name);
        }

        Assert.That(unused, Is.Empty, "in place");
        Assert.That(buffer, Has.Length.EqualTo(here.Parameters.Table.Max(p => p.Count)), "one parameter at a time");
        Assert.That(() => elsewhere.Parameters.Span(LlamaParameters.FinalNorm).Length, Throws.InvalidOperationException.With.Message.Contains("only Float32 on the CPU"));
        Assert.That(elsewhere.Parameters.Hash(slice: 5), Is.EqualTo(here.Parameters.Hash()), "whatever the slice");
    }
}
