import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Runs a connector of Debezium without Kafka Connect. Its messages go to a topic, or to standard
 * output as lines of three fields with tabs between: topic, key, value; an empty field is none.
 *
 * <p>Usage: Debezium [PROPERTY=VALUE]…, the properties being those of the engine and these:
 * to.kafka, the brokers; to.topic, where all messages go, which must be there (else each goes to the
 * topic that Debezium names); until, a text: the run ends behind the first message that holds it.
 */
public final class Debezium {
  public static void main(String[] args) throws Exception {
    var props = new Properties();
    props.put("name", "tablehaul");
    props.put("connector.class", "io.debezium.connector.mysql.MySqlConnector");
    props.put("topic.prefix", "dbz");
    props.put("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
    props.put("schema.history.internal", "io.debezium.relational.history.MemorySchemaHistory");
    for (String arg : args) {
      String[] property = arg.split("=", 2);
      props.put(property[0], property[1]);
    }
    var to = new To(props);
    var ended = new Throwable[1];
    var engine =
        DebeziumEngine.create(Json.class)
            .using(props)
            .using((success, message, error) -> {
              if (!success) {
                ended[0] = error == null ? new Exception(message) : error;
              }
            })
            .notifying(to)
            .build();
    engine.run();
    if (ended[0] != null) {
      ended[0].printStackTrace();
      System.exit(1);
    }
  }

  /** Where messages go. */
  private static final class To
      implements DebeziumEngine.ChangeConsumer<ChangeEvent<String, String>> {
    private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private final KafkaProducer<String, String> producer;
    private final String topic;
    private final String until;

    To(Properties props) {
      topic = (String) props.remove("to.topic");
      until = (String) props.remove("until");
      Object brokers = props.remove("to.kafka");
      if (brokers == null) {
        producer = null;
        return;
      }
      var config = new Properties();
      config.put("bootstrap.servers", brokers);
      config.put("max.request.size", Integer.toString(64 << 20));
      config.put("buffer.memory", Long.toString(128 << 20));
      producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    @Override
    public void handleBatch(
        List<ChangeEvent<String, String>> events,
        DebeziumEngine.RecordCommitter<ChangeEvent<String, String>> committer)
        throws InterruptedException {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      boolean last = false;
      for (var e : events) {
        String to = topic == null ? e.destination() : topic;
        if (producer == null) {
          out.printf("%s\t%s\t%s\n", to, none(e.key()), none(e.value()));
        } else {
          sent.add(producer.send(new ProducerRecord<>(to, e.key(), e.value())));
        }
        if (until != null && e.value() != null && e.value().contains(until)) {
          last = true;
          break;
        }
        committer.markProcessed(e);
      }
      try {
        for (var s : sent) {
          s.get();
        }
      } catch (ExecutionException e) {
        e.printStackTrace();
        Runtime.getRuntime().halt(1);
      }
      out.flush();
      if (last) { // the whole process: an engine takes seconds to end
        Runtime.getRuntime().halt(0);
      }
      committer.markBatchFinished();
    }

    private static String none(String text) {
      return text == null ? "" : text;
    }
  }
}
